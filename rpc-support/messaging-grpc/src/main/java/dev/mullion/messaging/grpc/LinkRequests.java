package dev.mullion.messaging.grpc;

import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.grpc.v1.CancelRequest;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Message;
import dev.mullion.messaging.grpc.v1.Request;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;

/** The requests of a client that are on their way, or have no reply yet. */
final class LinkRequests {
  /** More than a client may have without a reply are left over from timeouts. */
  private static final int MANY = 10_000;

  private volatile int most = MANY;
  private final EngineContext context;
  private final LinkConnection connection;

  /** The ends of their times. */
  private final Map<Long, Long> open = new ConcurrentHashMap<>();

  LinkRequests(EngineContext context, LinkConnection connection) {
    this.context = context;
    this.connection = connection;
  }

  /** Ids of other frames are even; those of requests, which {@code Messaging} chooses, are odd. */
  private static long frameId(long request) {
    return request * 2 + 1;
  }

  CompletionStage<Void> send(Route.Subject subject, long id, Message message, Duration timeout) {
    long frameId = frameId(id);
    Duration wait = timeout.compareTo(context.sendTimeout()) < 0 ? timeout : context.sendTimeout();
    if (open.size() > most) {
      removeLate();
    }
    open.put(frameId, connection.deadline(timeout));
    Pending pending = Pending.of(
        ClientFrame.newBuilder()
            .setRequest(Request.newBuilder()
                .setId(frameId)
                .setSubject(subject.name())
                .setMessage(message)
                .setTimeout(WireMessages.of(timeout)))
            .build(),
        connection.deadline(wait));
    return connection.sends().submit(pending).handle((done, error) -> {
      if (error != null) {
        open.remove(frameId);
        throw new CompletionException(WireErrors.cause(error));
      }
      return null;
    });
  }

  /** Removes what timeouts left; looks again when there are twice as many. */
  private synchronized void removeLate() {
    if (open.size() > most) {
      long now = connection.clock().nanoTime();
      open.values().removeIf(end -> end - now < 0);
      most = Math.max(MANY, 2 * open.size());
    }
  }

  /** Returns how many have no reply, as far as is known. */
  int open() {
    return open.size();
  }

  void cancel(long id) {
    long frameId = frameId(id);
    open.remove(frameId);
    LinkSession session = connection.current();
    if (!connection.sends().withdraw(frameId) && session != null) {
      session.outbox.add(ClientFrame.newBuilder()
          .setCancelRequest(CancelRequest.newBuilder().setId(frameId))
          .build());
    }
  }

  void replied(dev.mullion.messaging.grpc.v1.Reply frame) {
    open.remove(frame.getId());
    long id = frame.getId() / 2;
    context
        .events()
        .replied(
            frame.hasMessage()
                ? Reply.of(id, WireMessages.from(frame.getMessage()))
                : Reply.error(
                    id,
                    WireErrors.status(frame.getError().getKind()),
                    frame.getError().getText()));
  }

  /** Ends the requests whose replies were lost with the connection. */
  void lost(String why) {
    long now = connection.clock().nanoTime();
    for (Long id : open.keySet().toArray(Long[]::new)) {
      Long end = open.remove(id);
      if (end != null && end - now > 0) {
        lost(id, why);
      }
    }
  }

  private void lost(long id, String why) {
    try {
      context.events().replied(Reply.error(id / 2, Reply.Status.LOST, why));
    } catch (Throwable thrown) { // the others have to be told too
      Logs.LOG.log(
          Logs.Event.OUTCOME, Level.WARNING, null, () -> "a lost reply was not taken", thrown);
    }
  }
}
