package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.ShutdownSignalException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The subscriptions of a link, which come back on each new session. */
final class Sources {
  private static final long AGAIN_MILLIS = 500;

  /** How long a new session is held back by subscriptions whose queues do not answer. */
  private static final long PATIENCE_MILLIS = 2_000;

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
      link.connection().use("subscribing to " + what, session -> subscribe(source, session));
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

  /** Brings all back on a new session, which ends if that fails; some may come back later. */
  void restore(Session session) {
    CompletableFuture<?>[] restored = all.stream()
        .map(each -> CompletableFuture.runAsync(() -> beginAgain(each, session), link::askOrRun))
        .toArray(CompletableFuture<?>[]::new);
    CompletableFuture.allOf(restored)
        .completeOnTimeout(null, PATIENCE_MILLIS, TimeUnit.MILLISECONDS)
        .join();
  }

  private void subscribe(Restored source, Session session)
      throws IOException, TimeoutException, MessagingException {
    try {
      source.subscribe(session);
    } catch (IOException e) {
      Channel unanswered = BrokerErrors.unanswered(e);
      if (unanswered != null) {
        closeOnceAnswered(unanswered);
      }
      throw e;
    }
  }

  /**
   * Closes a channel once its queue has answered. Until then the broker reads no more from this
   * channel, and would answer nothing to another one with its number. What the queue hands out
   * meanwhile goes back, as from a lost connection.
   */
  void closeOnceAnswered(Channel silent) {
    Logs.warn("unanswered", "a queue does not answer a subscription", null);
    silent.setDefaultConsumer(new DefaultConsumer(silent));
    try {
      silent
          .asyncCompletableRpc(new AMQP.Basic.Qos.Builder().prefetchCount(1).build())
          .whenComplete((answer, error) -> link.ask(() -> Session.abort(silent)));
    } catch (IOException | RuntimeException e) {
      Session.abort(silent); // it is closed, or will be with its connection
    }
  }

  /** Brings one back. Tries again later if its queue is there but cannot be used yet. */
  private void restore(Restored source, Session session)
      throws IOException, TimeoutException, MessagingException {
    try {
      subscribe(source, session);
    } catch (IOException | RuntimeException e) {
      boolean isUnanswered = BrokerErrors.unanswered(e) != null;
      if (session.isOver() || !(isUnanswered || BrokerErrors.isChannelError(e))) {
        throw e;
      }
      if (isUnanswered || BrokerErrors.isStarting(e)) {
        beginAgainLater(source, session);
      } else {
        fail(source, link.engine().errors().of(e, "restoring a subscription", false));
      }
    }
  }

  void beginAgainLater(Restored source, Session session) {
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
    } catch (IOException | TimeoutException | RuntimeException | Error e) {
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
