package dev.mullion.messaging.grpc;

import dev.mullion.net.base.BoundedLog;

/** The log of this module: at most one line a second for each kind of event. */
final class Logs {
  /** The kinds. */
  enum Event {
    /** A frame could not be handled. */
    FRAME,
    /** Permissions threw an exception. */
    PERMISSIONS,
    /** A delivery could not be written. */
    DELIVERY,
    /** A signal was dropped. */
    SIGNAL,
    /** An outcome was not applied. */
    OUTCOME,
    /** The engine behind a server lost or restored its connection. */
    ENGINE,
    /** A declaration could not be restored. */
    DECLARATION,
    /** A server ended the stream of a client that broke the rules. */
    STREAM_ENDED,
    /** Work came after the end. */
    LATE,
    /** No thread could be started. */
    NO_THREAD
  }

  static final BoundedLog<Event> LOG =
      new BoundedLog<>(System.getLogger(Logs.class.getPackageName()), Event.class);

  private Logs() {}
}
