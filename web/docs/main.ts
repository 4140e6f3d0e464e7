/** The page at `/docs`: Swagger UI over the description of the service that it came from. */
import "swagger-ui-dist/swagger-ui.css";
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

SwaggerUI({
  url: "../openapi.json",
  dom_id: "#api",
  validatorUrl: null,
  deepLinking: true,
  // An address must not be able to make this page show another service and send keys there.
  queryConfigEnabled: false,
});
