/* The workbench as a page of its own. */

import { Workbench } from "./workbench.js";

new Workbench(document.querySelector("#bench")).start();
