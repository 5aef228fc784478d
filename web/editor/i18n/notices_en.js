// Texts of the notices, of the strip of photos, and of what tools say; all of them follow the brush. German has them with the others.
/** @type {import("../../app/i18n/index.js").Messages} */
export const en = {
  ed_other_tab: "This photo is open in another tab",
  ed_take_over: "Edit it here",
  ed_nothing: "No subject was found",
  ed_nothing_what: "Paint over what you want to keep, or start from the full photo and erase the rest.",
  ed_unsure: "Please look closely",
  ed_unsure_what: "The model is not sure about this one. A few strokes with the brush fix it.",
  ed_use_brush: "Use the brush",
  ed_keep_all: "Start from the full photo",
  ed_other_model: "Try another model",
  tool_object_busy: "Looking for the object …",
  tool_object_nothing: "There is no object here. Click elsewhere, or drag a box around it.",
  tool_object_failed: "The object could not be found. {reason}",
  tool_edge_local: "The finer edge is not available now; the quick one is used. {reason}",
  ed_batch: "Photos in this batch",
  ed_previous: "Previous photo",
  ed_next: "Next photo",
  ed_edited: "Edited",
};
