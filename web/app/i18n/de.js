/** @type {import("./index.js").Messages} */
export const de = {
  title: "Background Remover",
  close: "Schließen",
  skip_photos: "Zu den Fotos",
  language: "Sprache",
  language_en: "English",
  language_de: "Deutsch",
  api: "API",
  scheme: "Farben",
  scheme_auto: "Farben: wie das Gerät",
  scheme_light: "Farben: hell",
  scheme_dark: "Farben: dunkel",
  headline: "Hintergrund entfernen",
  lead: "Ein Foto oder fünfhundert. Sie bleiben auf diesem Server.",
  drop_here: "Fotos hier ablegen",
  choose_photos: "Fotos wählen",
};
