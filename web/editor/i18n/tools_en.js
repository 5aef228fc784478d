/** @type {import("../../app/i18n/index.js").Messages} */
export const en = {
  tool_erased: "Erased {share}%. Undo {depth}",
  tool_restored: "Restored {share}%. Undo {depth}",
  tool_undo: "Undone. Undo {depth}",
  tool_redo: "Redone. Undo {depth}",
  tool_nothing: "Nothing to change",
  tool_changed: "The cut-out was changed in the meantime. Please try again.",
  tool_mark: "What a click does",
  tool_mark_add: "Add",
  tool_mark_leave: "Leave out",
  tool_read_only: "Another tab is editing this photo. Take it over to change it here.",
  tool_no_room: "There is no room to save in this browser. You can go on working; export before you leave.",
  keys_title: "Keys",

  ed_exporting: "Making the file …",
  ed_batch_failed: "The batch could not take this edit; it is kept here",
  ed_format_png: "PNG",
  ed_format_webp: "WebP",
  ed_format_jpeg: "JPEG",
  ed_format_avif: "AVIF",
};
