package dev.mullion.rpc;

/** Is told of a server's calls, on event loops and threads of services: it must not block. */
interface CallWatcher {
  /** A message has come, or has gone. */
  default void message(String method, boolean received, long bytes) {}

  void ended(CallRecord call);
}
