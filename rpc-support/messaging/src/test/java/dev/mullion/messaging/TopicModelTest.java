package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;

/**
 * Live subscribers of topics and patterns that come, go, are stuck, have each policy and small
 * buffers, get with random operations what the model gets.
 */
class TopicModelTest {
  private static final int ROUNDS = Integer.getInteger("messaging.model.rounds", 150);
  private static final int OPERATIONS = 200;
  private static final List<String> PATTERNS = List.of("a.x", "a.x", "a.*", "#");
  private static final List<Overflow> POLICIES = List.of(Overflow.values());
  private static final List<String> TOPICS = List.of("a.x", "a.y", "b");

  private final List<Subscriber> subscribers = new ArrayList<>();
  private final List<String> log = new ArrayList<>();
  private Random random = new Random();
  private EmbeddedFixture embedded = new EmbeddedFixture();
  private int texts;

  @Test
  void subscribersGetWhatTheModelGets() throws Exception {
    embedded.close();
    for (int round = 0; round < ROUNDS; round++) {
      long seed = Long.getLong("messaging.model.seed", System.nanoTime());
      try {
        run(seed);
      } catch (Throwable e) {
        throw new AssertionError("seed " + seed + ", after " + log, e);
      }
    }
  }

  private void run(long seed) throws Exception {
    random = new Random(seed);
    subscribers.clear();
    log.clear();
    embedded = new EmbeddedFixture();
    try (EmbeddedFixture closed = embedded) {
      EngineLink link = closed.open(Duration.ZERO); // who would have to wait fails
      for (int i = 0; i < OPERATIONS; i++) {
        operate(link);
        subscribers.forEach(Subscriber::check);
      }
    }
  }

  private void operate(EngineLink link) throws Exception {
    int choice = random.nextInt(20);
    if (choice == 0 || subscribers.isEmpty()) {
      subscribe();
    } else if (choice == 1) {
      subscribers.remove(random.nextInt(subscribers.size())).leave();
    } else if (choice == 2) {
      log.add("advance");
      embedded.clock.advance(Duration.ofMillis(5));
    } else if (choice < 12) {
      publish(link);
    } else {
      subscribers.get(random.nextInt(subscribers.size())).operate(choice);
    }
  }

  private void subscribe() throws Exception {
    Subscriber added = new Subscriber(
        PATTERNS.get(random.nextInt(PATTERNS.size())),
        1 + random.nextInt(6),
        random.nextBoolean() ? 1000 : 4 + random.nextInt(20),
        POLICIES.get(random.nextInt(POLICIES.size())));
    log.add("subscribe " + added);
    subscribers.add(added);
  }

  private void publish(EngineLink link) throws Exception {
    String topic = TOPICS.get(random.nextInt(TOPICS.size()));
    String text = "m".repeat(random.nextInt(6)) + texts++;
    boolean expires = random.nextInt(4) == 0;
    log.add("publish " + topic + " " + text + (expires ? " with a time to live" : ""));
    Message<byte[]> message = EmbeddedFixture.message(text);
    CompletionStage<Void> sent = EmbeddedFixture.send(
        link,
        new Route.Topic(topic),
        expires ? message.withTimeToLive(Duration.ofMillis(7)) : message);
    long end = expires ? embedded.clock.currentTimeMillis() + 7 : Long.MAX_VALUE;
    boolean fails = false;
    for (Subscriber each : subscribers) {
      fails |= each.matches(topic) && !each.publish(new Waits(text, end));
    }
    assertThat(sent.toCompletableFuture().isCompletedExceptionally()).isEqualTo(fails);
    assertThat(sent.toCompletableFuture()).isDone();
  }

  /** What waits for credit. */
  private record Waits(String text, long end) {}

  /** A subscriber, and what the model says of it. */
  private final class Subscriber {
    private final String pattern;
    private final int capacity;
    private final long mostBytes;
    private final Overflow overflow;
    private final RecordingSink sink = new RecordingSink();
    private final Source source;
    private final ArrayDeque<Waits> waiting = new ArrayDeque<>();
    private final List<String> delivered = new ArrayList<>();
    private long dropped;
    private long credit;

    Subscriber(String pattern, int capacity, long mostBytes, Overflow overflow) throws Exception {
      this.pattern = pattern;
      this.capacity = capacity;
      this.mostBytes = mostBytes;
      this.overflow = overflow;
      this.source = embedded.link.consume(
          new Route.Topic(pattern),
          new ConsumerSettings(8, 8, capacity, mostBytes, overflow),
          sink);
    }

    boolean matches(String topic) {
      return pattern.equals("#")
          || pattern.equals(topic)
          || (pattern.equals("a.*") && topic.startsWith("a."));
    }

    private long bytes() {
      return waiting.stream().mapToLong(each -> each.text.length()).sum();
    }

    private boolean fits(Waits message) {
      return waiting.isEmpty()
          || (waiting.size() < capacity && bytes() + message.text.length() <= mostBytes);
    }

    boolean publish(Waits message) {
      if (waiting.isEmpty() && credit > 0) {
        credit--;
        delivered.add(message.text);
        return true;
      }
      if (!fits(message)) {
        if (overflow == Overflow.FAIL || overflow == Overflow.BLOCK) {
          return false;
        }
        if (overflow == Overflow.DROP_NEWEST) {
          dropped++;
          return true;
        }
        while (!fits(message)) {
          waiting.remove();
          dropped++;
        }
      }
      waiting.add(message);
      return true;
    }

    void operate(int choice) {
      int deliveries = 1 + random.nextInt(4);
      log.add((choice < 15 ? "poll " : choice < 17 ? "look " : "request ") + deliveries + this);
      if (choice < 15) {
        source.poll(deliveries);
        handOut(share(deliveries));
      } else if (choice < 17) {
        assertThat(source.buffer().messages()).isEqualTo(waiting.size());
      } else {
        source.request(deliveries);
        credit += deliveries;
        handOut(0);
      }
    }

    /** A poll hands out no more than a share of the bytes that may wait. */
    private int share(int most) {
      long bytes = bytes();
      return bytes <= mostBytes / 4
          ? most
          : (int) Math.min(most, Math.max(1, mostBytes / 4 / (bytes / waiting.size() + 1)));
    }

    private void handOut(int least) {
      for (int left = least; (credit > 0 || left > 0) && !waiting.isEmpty(); left--) {
        Waits next = waiting.remove();
        if (next.end <= embedded.clock.currentTimeMillis()) {
          dropped++;
        } else {
          delivered.add(next.text);
          credit = Math.max(0, credit - 1);
        }
      }
    }

    void leave() {
      log.add("leave " + this);
      source.close();
      check();
    }

    void check() {
      assertThat(sink.texts()).as(toString()).isEqualTo(delivered);
      assertThat(sink.dropped).as(toString()).hasValue(dropped);
    }

    @Override
    public String toString() {
      return " (" + pattern + " " + capacity + " " + mostBytes + " " + overflow + " "
          + System.identityHashCode(this) + ")";
    }
  }
}
