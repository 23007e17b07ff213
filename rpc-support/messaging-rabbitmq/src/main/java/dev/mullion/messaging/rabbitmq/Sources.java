package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.ShutdownSignalException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The subscriptions of a link, which come back on each new session. */
final class Sources {
  private static final long AGAIN_MILLIS = 500;

  private final RabbitMqLink link;
  private final Set<Restored> all = ConcurrentHashMap.newKeySet();

  Sources(RabbitMqLink link) {
    this.link = link;
  }

  /** Starts one; it is closed if that fails. */
  void start(Restored source, String what) throws MessagingException {
    all.add(source);
    boolean started = false;
    try {
      link.connection().use("subscribing to " + what, source::subscribe);
      started = true;
    } finally {
      if (!started) {
        source.close();
      }
    }
  }

  /**
   * Opens a channel for a source. If the broker closes it, as after its consumer_timeout or without
   * its queue, or the client, as after an exception, that source begins again or ends, and no other
   * one.
   */
  Channel open(Restored source, Session session) throws IOException {
    Channel opened = session.newChannel();
    opened.addShutdownListener(cause -> {
      if (!cause.isHardError() && all.contains(source)) {
        link.ask(() -> closed(source, session, opened, cause));
      }
    });
    return opened;
  }

  private void closed(
      Restored source, Session session, Channel channel, ShutdownSignalException cause) {
    if (!source.lost(session, channel)) {
      return;
    }
    if (cause.isInitiatedByApplication()) { // it may fail again and again
      beginAgainLater(source, session);
    } else {
      Logs.warn(
          "channel", "the broker closed a channel of a subscription, which begins again", cause);
      beginAgain(source, session);
    }
  }

  /** Brings all back on a new session. */
  void restore(Session session) throws IOException, TimeoutException, MessagingException {
    for (Restored each : all) {
      restore(each, session);
    }
  }

  /** Brings one back. If its queue is there and cannot be used yet, the others do not wait. */
  private void restore(Restored source, Session session)
      throws IOException, TimeoutException, MessagingException {
    try {
      source.subscribe(session);
    } catch (IOException | RuntimeException e) {
      if (session.isOver() || !BrokerErrors.isChannelError(e)) {
        throw e;
      }
      if (BrokerErrors.isStarting(e)) {
        beginAgainLater(source, session);
      } else {
        fail(source, link.engine().errors().of(e, "restoring a subscription", false));
      }
    }
  }

  private void beginAgainLater(Restored source, Session session) {
    link.after(
        () -> link.ask(() -> beginAgain(source, session)), AGAIN_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** Brings one back on its session, which ends if that fails. */
  void beginAgain(Restored source, Session session) {
    if (session.isOver() || !all.contains(source)) {
      return;
    }
    try {
      restore(source, session);
    } catch (IOException | TimeoutException | RuntimeException e) {
      session.fail(e);
    }
  }

  void lost(Session session) {
    all.forEach(each -> each.lost(session));
  }

  void look() {
    all.forEach(Restored::look);
  }

  /** Returns how many jobs of a queue are held here. */
  long inFlight(Route.Queue queue) {
    return all.stream().mapToLong(each -> each.inFlight(queue)).sum();
  }

  /** Ends one with an error, unless it has ended. */
  void fail(Restored source, MessagingException cause) {
    if (all.remove(source)) {
      source.failed(cause);
    }
  }

  void forget(Restored source) {
    all.remove(source);
  }

  void close() {
    List.copyOf(all).forEach(Restored::close);
  }
}
