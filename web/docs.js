// Swagger UI over this server's own description; a file of its own so that no inline script is needed.
"use strict";

// Swagger UI fills in every field that has a default or a type, and sends it. So that Execute sends only what a person has
// filled in, its copy of the description has no defaults, and each optional field is empty.
const FORMS = ["multipart/form-data", "application/x-www-form-urlencoded"];

function emptied(schema) {
  const { default: usual, examples, ...rest } = schema;
  const note = usual === undefined ? "" : ` Default: ${JSON.stringify(usual)}.`;
  return { ...rest, description: `${rest.description || ""}${note}`.trim() };
}

function isFile(schema) {
  return "contentMediaType" in (schema.type === "array" ? schema.items || {} : schema);
}

// Swagger UI knows a field for a file by its format, as in OpenAPI 3.0.
function asFile(schema) {
  const { contentMediaType, ...rest } = schema;
  return schema.type === "array" ? { ...rest, items: asFile(schema.items) } : { ...rest, format: "binary" };
}

function emptyForm(schema) {
  const required = new Set(schema.required || []);
  const properties = Object.entries(schema.properties || {}).map(([name, field]) => {
    if (isFile(field)) return [name, asFile(field)];
    return [name, required.has(name) ? emptied(field) : { ...emptied(field), example: "" }];
  });
  const { oneOf, anyOf, ...rest } = schema;
  return { ...rest, properties: Object.fromEntries(properties) };
}

function withoutEmptyFields(request) {
  if (request.body instanceof FormData) {
    const form = new FormData();
    for (const [name, value] of request.body) if (value !== "") form.append(name, value);
    request.body = form;
  }
  return request;
}

function prepareOperation(operation) {
  const content = operation.requestBody?.content || {};
  for (const kind of FORMS) {
    if (content[kind]?.schema) content[kind].schema = emptyForm(content[kind].schema);
  }
  // What is a field of the form is not shown once more as a parameter.
  const fields = content["multipart/form-data"]?.schema?.properties || {};
  operation.parameters = (operation.parameters || [])
    .filter((parameter) => parameter.in !== "query" || !(parameter.name in fields))
    .map((parameter) => (parameter.schema ? { ...parameter, schema: emptied(parameter.schema) } : parameter));
}

async function start() {
  const answer = await fetch("/openapi.json");
  const spec = await answer.json();
  for (const path of Object.values(spec.paths)) Object.values(path).forEach(prepareOperation);
  SwaggerUIBundle({
    spec,
    dom_id: "#ui",
    deepLinking: true,
    tryItOutEnabled: true,
    requestInterceptor: withoutEmptyFields,
  });
}

start();
