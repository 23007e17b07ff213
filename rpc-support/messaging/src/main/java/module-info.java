/** Four communication patterns on one API, with an embedded engine. */
module dev.mullion.messaging {
  exports dev.mullion.messaging;
  exports dev.mullion.messaging.engine;

  requires static com.fasterxml.jackson.databind;
  requires static com.google.protobuf;
  requires static com.h2database.mvstore;
  requires static io.opentelemetry.api;
  requires static io.opentelemetry.context;
  requires static micrometer.core;
  requires static transitive org.jspecify;
}
