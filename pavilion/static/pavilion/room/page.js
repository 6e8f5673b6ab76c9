/* The page of a seat. */

import { Room } from "./room.js";

new Room(document.querySelector("#room")).start();
