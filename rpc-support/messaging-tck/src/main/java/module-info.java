/** The suite that proves an engine's guarantees. */
module dev.mullion.messaging.tck {

  requires transitive dev.mullion.messaging;
  requires transitive org.junit.jupiter.api;
  requires static transitive org.jspecify;
}
