// Texts of the notices, which follow the brush. German has them with the others.
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
};
