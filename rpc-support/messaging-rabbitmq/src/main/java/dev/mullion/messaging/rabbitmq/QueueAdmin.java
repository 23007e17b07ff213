package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.Queue.DeclareOk;
import com.rabbitmq.client.Channel;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** Questions about queues. Each has a thread and a channel of its own for a while. */
final class QueueAdmin {
  private final RabbitMqLink link;

  QueueAdmin(RabbitMqLink link) {
    this.link = link;
  }

  /** What is asked on a channel. */
  interface Question<T> {
    T ask(Session session, Channel channel)
        throws IOException, TimeoutException, MessagingException;
  }

  /** Asks the broker on a thread that may block. */
  <T> CompletionStage<T> ask(String what, Question<T> question) {
    CompletableFuture<T> answer = new CompletableFuture<>();
    boolean asked = link.askForUser(() -> {
      try {
        answer.complete(now(what, question));
      } catch (Throwable e) { // of the user's predicate too
        answer.completeExceptionally(e);
      }
    });
    if (!asked) {
      answer.completeExceptionally(
          new QueueFullException("too many questions at once, or messaging is closed: " + what));
    }
    return answer;
  }

  /** Asks the broker on this thread. */
  <T> T now(String what, Question<T> question) throws MessagingException {
    Session session = link.connection().await();
    try {
      Channel channel = session.newChannel();
      try {
        return question.ask(session, channel);
      } finally {
        Session.abort(channel); // what it still holds goes back
      }
    } catch (IOException | TimeoutException e) {
      throw link.engine().errors().of(e, what, false);
    } catch (RuntimeException e) {
      if (BrokerErrors.signal(e) != null) {
        throw link.engine().errors().of(e, what, false);
      }
      throw e;
    }
  }

  CompletionStage<List<QueueStatus>> all() {
    return ask("queues", (session, channel) -> {
      List<QueueStatus> all = new ArrayList<>();
      for (Route.Queue each : link.declarations().all(link.timeoutMillis())) {
        QueueStatus status = status(session, each);
        if (status != null) {
          all.add(status);
        }
      }
      return all;
    });
  }

  /** Returns what the broker tells by AMQP; null if the queue was deleted just now. */
  private @Nullable QueueStatus status(Session session, Route.Queue queue)
      throws IOException, TimeoutException {
    Entities names = link.entities();
    Found jobs = find(session, names.jobs(queue));
    if (jobs == null) {
      return null;
    }
    long suspects = queue.ordered() ? 0 : count(session, names.suspects(queue));
    long delayed = 0;
    for (long millis : delays(queue)) {
      delayed += count(session, names.delayed(queue, millis));
    }
    return new QueueStatus(
        queue.name(),
        queue.source(),
        jobs.messages() + suspects,
        0,
        delayed,
        link.sources().inFlight(queue),
        count(session, names.deadLetters(queue)),
        0,
        link.dropped(queue),
        0,
        jobs.consumers(),
        Duration.ZERO);
  }

  /** Returns all delays that the queue has had. */
  private Set<Long> delays(Route.Queue queue) {
    Set<Long> delays = new TreeSet<>();
    for (Route.Queue each : link.declarations().history(queue.id())) {
      delays.addAll(QueueTopology.delays(each.redelivery()));
    }
    return delays;
  }

  /** What a passive declaration tells. */
  private record Found(long messages, int consumers) {}

  private static long count(Session session, String queue) throws IOException, TimeoutException {
    Found found = find(session, queue);
    return found == null ? 0 : found.messages();
  }

  /** Returns null if it is not there, which costs the channel. */
  private static @Nullable Found find(Session session, String queue)
      throws IOException, TimeoutException {
    try (Channel channel = session.newChannel()) {
      DeclareOk found = channel.queueDeclarePassive(queue);
      return new Found(found.getMessageCount(), found.getConsumerCount());
    } catch (IOException e) {
      if (BrokerErrors.isNotFound(e)) {
        return null;
      }
      throw e;
    }
  }

  CompletionStage<Void> delete(Route.Queue queue) {
    return ask("delete of queue " + queue.id(), (session, channel) -> {
          if (!link.creates()) {
            throw new MissingAddressException("queue " + queue.id()
                + " is not deleted: topology is MUST_EXIST (expected: CREATE; broker "
                + link.engine().where() + ")");
          }
          Entities names = link.entities();
          Route.Queue declared = link.declarations().find(queue.id());
          Set<Long> delays = delays(queue);
          if (declared != null) {
            link.declarations().delete(queue, link.publisher(), link.timeoutMillis());
          }
          channel.queueDelete(names.jobs(queue));
          channel.queueDelete(names.suspects(queue));
          channel.queueDelete(names.deadLetters(queue));
          for (long millis : delays) {
            channel.queueDelete(names.delayed(queue, millis));
          }
          return true;
        })
        .thenAccept(deleted -> {});
  }
}
