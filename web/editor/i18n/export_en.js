// Texts of exports, which follow the brush. German has them with the others.
/** @type {import("../../app/i18n/index.js").Messages} */
export const en = {
  ed_export_facts: "{format} · {width} × {height} px",
  ed_copy: "Copy",
  ed_quick: "Quick PNG (browser)",
  ed_quick_note: "Approximate; works without the server",
  ed_cancel: "Cancel",
  ed_exported: "{name} was saved ({size})",
  ed_exported_quick: "Saved. It is approximate: the exact file comes from the server.",
  ed_copied: "The picture was copied",
  ed_export_failed: "The file could not be made",
  ed_offline: "The server does not answer",
  ed_offline_waits: "Your work is kept here. This continues by itself when the connection is back.",
  ed_offline_solution: "Your work is kept here. Try again when the connection is back.",
  ed_too_many: "Too many exports for now",
  ed_wait: "You can make the next one in {time}.",
  ed_picture_failed: "This picture could not be opened. JPEG, PNG and WebP always work.",
};
