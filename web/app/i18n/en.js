/** @type {import("./index.js").Messages} */
export const en = {
  title: "Background Remover",
  close: "Close",
  skip_photos: "Skip to the photos",
  language: "Language",
  language_en: "English",
  language_de: "Deutsch",
  api: "API",
  scheme: "Colours",
  scheme_auto: "Colours: as the device",
  scheme_light: "Colours: light",
  scheme_dark: "Colours: dark",
  headline: "Remove the background",
  lead: "One photo or five hundred. They stay on this server.",
  drop_here: "Drop photos here",
  choose_photos: "Choose photos",
};
