package dev.mullion.messaging;

import dev.mullion.messaging.engine.EngineEvents;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;

/** What the engine reports: replies for the requests, and events for the listener. */
final class EngineReports implements EngineEvents {
  private final Requests requests;
  private final ListenerCalls listener;
  private final SendCounts counts;
  private volatile Runnable restored = () -> {};

  EngineReports(Requests requests, ListenerCalls listener, SendCounts counts) {
    this.requests = requests;
    this.listener = listener;
    this.counts = counts;
  }

  /** Sets what to do when a connection is back; it returns quickly. */
  void whenRestored(Runnable restored) {
    this.restored = restored;
  }

  @Override
  public void replied(Reply reply) {
    requests.replied(reply);
  }

  @Override
  public void connectionLost(String where, Throwable cause) {
    listener.connectionLost(where, cause);
  }

  @Override
  public void connectionRestored(String where, Duration outage) {
    restored.run();
    counts.reconnects.increment();
    listener.connectionRestored(where, outage);
  }

  @Override
  public void dropped(Route.Signal signal, long messages) {
    counts.dropped.add(messages);
    listener.dropped(signal.name(), Overflow.DROP_NEWEST, messages);
  }
}
