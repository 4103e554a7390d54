// The pages work without this: it reloads a page that waits for a job, and on a phone brings the
// section that one is in into sight.
"use strict";
const waiting = document.querySelector("[data-refresh-seconds]");
if (waiting) {
  setTimeout(() => location.reload(), Number(waiting.dataset.refreshSeconds) * 1000);
}
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
