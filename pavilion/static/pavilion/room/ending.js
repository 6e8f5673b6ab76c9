/* The end of a seat: how it came, what was earned, and what is still to be done at the marketplace. */

import { has, say } from "./texts.js";

const find = (selector) => document.querySelector(selector);

/** Show how the seat has ended; the sentences, for whoever hears them. `owesForm`: the marketplace knows of an assignment. */
export function showEnd(state, { owesForm }) {
  const whole = state.left === "stop" && state.session_status === "EXPIRED" ? "stop_expired" : state.left;
  const heading = say(`${state.left}_title`);
  const text = say(has(whole) ? whole : state.left);
  const reason = state.reason ? say("reason", { reason: state.reason }) : "";
  const earned = Number(state.earned) ? say("earned", { amount: state.earned }) : say("earned_nothing");
  const there = owesForm && state.status !== "SUBMITTED" ? say("return_there") : "";
  find("#ended-heading").textContent = heading;
  find("#ended-text").textContent = text;
  find("#ended-reason").hidden = !reason;
  find("#ended-reason").textContent = reason;
  find("#ended-earned").textContent = earned;
  find("#ended-there").hidden = !there;
  find("#ended-there").textContent = there;
  return [heading, text, reason, earned, there];
}

/** Have the form ready by which the browser ends the assignment at the marketplace; `send`: post it at once. */
export function submitAt({ url, fields }, { send }) {
  const form = find("#submit-form");
  form.action = url;
  for (const old of form.querySelectorAll("input")) old.remove();
  for (const [name, value] of Object.entries(fields)) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name, value });
    form.append(field);
  }
  form.hidden = false;
  if (!send) return;
  find("#ended-text").textContent = say("submitting");
  form.submit();
}
