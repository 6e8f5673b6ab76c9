/* The sentences that the room's scripts say, translated by the server, and times and amounts as people read them. */

const said = JSON.parse(document.getElementById("room-texts").textContent);

/** The sentence `name` with its {placeholders} filled in. */
export function say(name, values = {}) {
  return said[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

export const has = (name) => name in said;

/** Seconds as "1:05" or "1:02:03". */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const [hours, minutes, rest] = parts.map((part) => String(part).padStart(2, "0"));
  return parts[0] ? `${parts[0]}:${minutes}:${rest}` : `${Number(minutes)}:${rest}`;
}
