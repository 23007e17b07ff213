/** Four communication patterns on one API, with an embedded engine. */
module dev.mullion.messaging {
  exports dev.mullion.messaging;
  exports dev.mullion.messaging.engine;

  requires static com.h2database.mvstore;
  requires static transitive org.jspecify;
}
