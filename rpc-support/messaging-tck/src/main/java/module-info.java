/** The suite that proves an engine's guarantees. */
module dev.mullion.messaging.tck {
  exports dev.mullion.messaging.tck;

  opens dev.mullion.messaging.tck to
      org.junit.platform.commons;

  requires java.logging;
  requires transitive dev.mullion.messaging;
  requires transitive org.junit.jupiter.api;
  requires static transitive org.jspecify;
}
