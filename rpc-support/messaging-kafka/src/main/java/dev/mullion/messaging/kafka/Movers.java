package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Route;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.jspecify.annotations.Nullable;

/** The movers of this link: they run while it has a worker of their queue. */
final class Movers {
  private final KafkaLink link;
  private final Names names;
  private final Map<String, Running> running = new HashMap<>(); // guarded by itself

  private static final class Running {
    int users;
    final List<Mover> movers = new ArrayList<>();
  }

  Movers(KafkaLink link) {
    this.link = link;
    this.names = link.names();
  }

  /** Starts the movers of a queue, unless they run. */
  void use(Route.Queue queue) {
    synchronized (running) {
      Running now = running.computeIfAbsent(queue.id(), id -> new Running());
      if (now.users++ == 0) {
        List<String> retries = names.retries(queue);
        if (!retries.isEmpty()) {
          now.movers.add(
              new Mover(link, names.movers(queue), retries, names.queue(queue), new Due(queue)));
        }
        queue
            .source()
            .ifPresent(source -> now.movers.add(new Mover(
                link,
                names.feeders(queue),
                List.of(names.topic(source)),
                names.queue(queue),
                new Feed(queue, source))));
        now.movers.forEach(Mover::start);
      }
    }
  }

  /** Stops them after the last use. */
  void release(Route.Queue queue) {
    List<Mover> ending = List.of();
    synchronized (running) {
      Running now = running.get(queue.id());
      if (now != null && --now.users == 0) {
        running.remove(queue.id());
        ending = now.movers;
      }
    }
    ending.forEach(Mover::stop);
    try {
      for (Mover each : ending) {
        each.awaitEnd();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Moves what is due from the retry topics to the queue. */
  private final class Due implements Mover.Plan {
    private final Route.Queue queue;

    Due(Route.Queue queue) {
      this.queue = queue;
    }

    @Override
    public long due(ConsumerRecord<byte[], byte[]> from) {
      return Records.number(from.headers(), Records.DUE, 0);
    }

    @Override
    public ProducerRecord<byte[], byte[]> copy(ConsumerRecord<byte[], byte[]> from) {
      ProducerRecord<byte[], byte[]> copy = Records.copy(from, names.queue(queue));
      copy.headers().remove(Records.DUE);
      return copy;
    }

    @Override
    public void refused(ConsumerRecord<byte[], byte[]> from, Throwable why, Letters.Buried done) {
      link.letters(queue).buryWithoutCopy(from, why, Records.tries(from), done);
    }
  }

  /** Feeds a group with the messages of its topic or pattern. */
  private final class Feed implements Mover.Plan {
    private final Route.Queue queue;
    private final TopicPattern pattern;

    Feed(Route.Queue queue, String source) {
      this.queue = queue;
      this.pattern = new TopicPattern(source);
    }

    @Override
    public long due(ConsumerRecord<byte[], byte[]> from) {
      return 0;
    }

    @Override
    public @Nullable ProducerRecord<byte[], byte[]> copy(ConsumerRecord<byte[], byte[]> from) {
      String topic = names.topicOf(from);
      if (!pattern.matches(topic)) {
        return null;
      }
      ProducerRecord<byte[], byte[]> copy = Records.copy(from, names.queue(queue));
      Records.set(copy.headers(), Records.TOPIC, topic);
      return copy;
    }

    @Override
    public void refused(ConsumerRecord<byte[], byte[]> from, Throwable why, Letters.Buried done) {
      Records.set(from.headers(), Records.TOPIC, names.topicOf(from));
      link.letters(queue).buryWithoutCopy(from, why, Records.tries(from), done);
    }
  }
}
