// Keeps the page of a workflow fresh: what board.js does, and its picture, which comes as SVG.

import { Board } from "../../assignments/board.js";

// The operators' socket says when tasks of any queue came or closed, which is when runs move.
const SOON = 1000;
const BUSY = 5000;

const place = document.querySelector("[data-picture]");
let drawn = null;

function took({ picture }) {
  // The place itself stays, and with it how far it was scrolled and whether it has the focus.
  if (place && picture !== drawn) {
    place.replaceChildren(document.createRange().createContextualFragment(picture));
    drawn = picture;
  }
  return null;
}

new Board({ heard: ({ type }, board) => type === "counts" && board.changed(), took, soon: SOON, busy: BUSY });
