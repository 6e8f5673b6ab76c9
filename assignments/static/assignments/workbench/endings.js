/* Why a task is no longer the reviewer's, in a sentence. */

import { say } from "./texts.js";

/** For an answer that the API refused. */
export function whyRefused({ slug, detail, document: { status_was: was } }) {
  if (slug === "lease-expired") return say("lost_expired");
  return slug === "assignment-closed" ? sentence(was) : detail;
}

/** For an assignment that has ended, as the API shows it. */
export function whyEnded({ status, reason }) {
  return [sentence(status), reason ? say("lost_reason", { reason }) : ""].filter(Boolean).join(" ");
}

function sentence(status) {
  if (status === "EXPIRED") return say("lost_expired");
  if (status === "FINISHED") return say("lost_finished");
  if (status === "SKIPPED") return say("lost_skipped");
  return say("lost_closed");
}
