// Swagger UI over this server's own description; a file of its own so that no inline script is needed.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#ui", deepLinking: true, tryItOutEnabled: true });
