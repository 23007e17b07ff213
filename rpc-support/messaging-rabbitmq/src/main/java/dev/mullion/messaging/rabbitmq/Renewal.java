package dev.mullion.messaging.rabbitmq;

import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Opens a lane again on which a queue rejects everything. RabbitMQ finds out where a queue's leader
 * is when a channel begins to publish there. If it finds a node that has just died, the queue
 * rejects all of this channel until the node is back, though it has another leader by then, which a
 * new channel finds. A full queue rejects too, so the pauses between two renewals grow.
 */
final class Renewal {
  private static final long FIRST_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long MOST_NANOS = TimeUnit.SECONDS.toNanos(32);
  private static final long ANSWER_MILLIS = 1_000;

  private final RabbitMqLink link;
  private final Publisher publisher;
  private final Lane.Kind kind;
  private long patience = FIRST_NANOS;
  private @Nullable Lane renewed;

  Renewal(RabbitMqLink link, Publisher publisher, Lane.Kind kind) {
    this.link = link;
    this.publisher = publisher;
    this.kind = kind;
  }

  /** Looks whether it is time; called by a timer. */
  void look(@Nullable Session on) {
    if (on == null) {
      return;
    }
    Lane lane = on.lane(kind);
    long rejected = lane.unconfirmed().rejections().longestNanos();
    if (rejected == 0 && lane.unconfirmed().hasAnswers()) {
      patience = FIRST_NANOS;
    }
    if (rejected > patience && !lane.equals(renewed)) {
      renewed = lane;
      patience = Math.min(2 * patience, MOST_NANOS);
      link.ask(() -> renew(on, lane));
    }
  }

  /** Nothing is lost and little comes twice: what is written is waited for, for a moment. */
  private void renew(Session on, Lane lane) {
    Logs.warn(
        "rejected",
        "all publishes are rejected by " + lane.unconfirmed().rejections()
            + ": a new channel may find the leader",
        null);
    try {
      lane.unconfirmed().stop(ANSWER_MILLIS);
      publisher.takeBack(lane);
      on.reopen(kind, lane);
      Session.abort(lane.channel());
    } catch (IOException | RuntimeException e) {
      on.fail(e);
    } catch (InterruptedException e) {
      on.fail(new IOException("the link is closed", e));
    }
  }
}
