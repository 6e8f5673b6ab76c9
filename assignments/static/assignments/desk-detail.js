/* Shows what was asked and answered as the workbench does; the JSON stays where something is wrong with that. */

import { showInput } from "./workbench/input.js";

const data = JSON.parse(document.getElementById("detail-data").textContent);

showInput(document.getElementById("detail-input"), data.input, data.inputSchema);
const answer = document.getElementById("detail-answer");
if (answer) showInput(answer, data.answer, data.answerSchema);
