// The pages work without this: it reloads a page that waits for a job.
"use strict";
const waiting = document.querySelector("[data-refresh-seconds]");
if (waiting) {
  setTimeout(() => location.reload(), Number(waiting.dataset.refreshSeconds) * 1000);
}
