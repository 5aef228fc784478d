// The page: one photo, seen before and after. It uses the public API only.
const $ = (id) => document.getElementById(id);
let photo = null; // the chosen File
let shown = 0; // the number of the newest preview asked for; older answers are dropped
let timer = 0;

function say(text, error = false) {
  $("message").textContent = text;
  $("message").classList.toggle("error", error);
}

/** The options that the form asks for, without those that are defaults. */
function options() {
  const form = new FormData($("options"));
  const ground = form.get("ground") === "pick" ? $("colour").value.slice(1) : form.get("ground");
  const asked = { format: form.get("format"), output: form.get("output") };
  if (ground) asked.background = ground;
  if (Number(form.get("feather"))) asked.feather = form.get("feather");
  if (Number(form.get("alpha_boost")) !== 1) asked.alpha_boost = form.get("alpha_boost");
  return asked;
}

/** The answer's image as a Blob; throws an Error that says what went wrong and what to do. */
async function remove(path, asked) {
  const body = new FormData();
  body.append("file", photo);
  for (const [name, value] of Object.entries(asked)) body.append(name, value);
  const headers = { Accept: "image/*" };
  const key = sessionStorage.getItem("api-key"); // gone with the tab
  if (key) headers["X-Api-Key"] = key;
  const answer = await fetch(path, { method: "POST", body, headers });
  $("key-form").hidden = answer.status !== 401;
  if (answer.ok) return answer.blob();
  const error = await answer.json().catch(() => ({ error: `The server answered ${answer.status}` }));
  const wait = answer.headers.get("Retry-After");
  throw new Error([error.error, error.details, wait ? `Try again in ${wait} s.` : error.solution].filter(Boolean).join("\n"));
}

function show(image, blob) {
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
}

async function preview() {
  const mine = ++shown;
  $("stage").setAttribute("aria-busy", "true");
  say("");
  try {
    const blob = await remove("/remove-background-preview", options());
    if (mine === shown) show($("after"), blob);
  } catch (error) {
    if (mine === shown) say(error.message, true);
  }
  if (mine === shown) $("stage").setAttribute("aria-busy", "false");
}

function choose(file) {
  if (!file) return;
  photo = file;
  $("before-clip").hidden = $("slider").hidden = false;
  show($("before"), file);
  $("after").src = $("before").src; // keeps the stage's size until the answer is here
  $("drop").hidden = true;
  $("work").hidden = false;
  preview();
}

async function download() {
  $("download").disabled = true;
  try {
    const asked = options();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await remove("/remove-background", asked));
    link.download = `${photo.name.replace(/\.[^.]*$/, "") || "image"}-no-bg.${asked.format === "jpeg" ? "jpg" : asked.format}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  } catch (error) {
    say(error.message, true);
  }
  $("download").disabled = false;
}

function startAgain() {
  shown++;
  $("file").value = "";
  $("work").hidden = true;
  $("drop").hidden = false;
  say("");
}

$("before").addEventListener("error", () => { $("before-clip").hidden = $("slider").hidden = true; }); // HEIC, TIFF: not every browser shows them
$("file").addEventListener("change", () => choose($("file").files[0]));
$("download").addEventListener("click", download);
$("again").addEventListener("click", startAgain);
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("api-key", $("key").value.trim());
  $("key").value = "";
  preview();
});
$("slider").addEventListener("input", () => {
  $("before-clip").style.clipPath = `inset(0 ${100 - $("slider").value}% 0 0)`;
});
$("options").addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(preview, 300);
});
document.addEventListener("paste", (event) => choose(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
document.addEventListener("dragleave", () => $("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  choose(event.dataTransfer.files[0]);
});
