package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Several threads publish, subscribe, read, look and leave at once. */
class TopicThreadsTest {
  private static final Route.Topic NEWS = new Route.Topic("news");
  private static final int PUBLISHERS = 3;
  private static final int EACH = Integer.getInteger("messaging.topic.messages", 5_000);

  private static final long ALL = (long) PUBLISHERS * EACH;

  private final EmbeddedFixture embedded = new EmbeddedFixture();
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final AtomicBoolean over = new AtomicBoolean();

  @AfterEach
  void close() throws Exception {
    over.set(true);
    threads.shutdownNow();
    assertThat(threads.awaitTermination(20, TimeUnit.SECONDS)).isTrue();
    embedded.close();
  }

  @Test
  void eachGetsEachMessageInOrderOrCountsIt() throws Exception {
    List<Subscriber> subscribers = List.of(
        new Subscriber("news", 1000, Overflow.BLOCK),
        new Subscriber("news", 7, Overflow.BLOCK),
        new Subscriber("news", 3, Overflow.DROP_OLDEST),
        new Subscriber("news", 50, Overflow.DROP_NEWEST),
        new Subscriber("*", 20, Overflow.BLOCK));
    List<Future<?>> readers = new ArrayList<>();
    subscribers.forEach(each -> readers.add(threads.submit(each::read)));
    Subscriber woken = new Subscriber("news", 30, Overflow.BLOCK);
    woken.asksAgain = true; // it never reads, so each message has to be handed to it
    woken.source.request(1);
    Future<?> guests = threads.submit(this::comeAndGo);
    List<Future<?>> publishers = new ArrayList<>();
    for (int publisher = 0; publisher < PUBLISHERS; publisher++) {
      int first = publisher * EACH;
      publishers.add(threads.submit(() -> publish(first)));
    }
    for (Future<?> each : publishers) {
      each.get(60, TimeUnit.SECONDS);
    }
    Waiting.until(() -> woken.received.get() == ALL);
    for (Subscriber each : subscribers) {
      Waiting.until(() -> each.received.get() + each.dropped.get() >= ALL);
    }
    over.set(true);
    guests.get(20, TimeUnit.SECONDS);
    for (Future<?> each : readers) {
      each.get(20, TimeUnit.SECONDS);
    }
    for (Subscriber each : subscribers) {
      assertThat(each.received.get() + each.dropped.get()).isEqualTo(ALL);
      assertThat(each.dropped.get() > 0 && each.overflow == Overflow.BLOCK).isFalse();
      assertThat(((LiveSource) each.source).buffered()).isZero();
    }
  }

  /** Publishes numbers; some have a time to live, which is treated in a way of its own. */
  private Void publish(int first) throws Exception {
    Random random = new Random(first);
    for (int i = first; i < first + EACH; i++) {
      Message<byte[]> message = EmbeddedFixture.message(Integer.toString(i));
      EmbeddedFixture.await(EmbeddedFixture.send(
          embedded.link,
          NEWS,
          random.nextInt(100) == 0 ? message.withTimeToLive(Duration.ofDays(1)) : message));
    }
    return null;
  }

  private Void comeAndGo() throws Exception {
    Random random = new Random();
    while (!over.get()) {
      Subscriber guest = new Subscriber(
          random.nextBoolean() ? "news" : "#", 1 + random.nextInt(10), Overflow.DROP_OLDEST);
      for (int i = random.nextInt(20); i > 0; i--) {
        guest.readSome(random);
      }
      guest.source.close();
    }
    return null;
  }

  /** A subscriber, which checks the order for each publisher. */
  private final class Subscriber implements Sink {
    private final Overflow overflow;
    private final Source source;
    private final int[] last = {-1, EACH - 1, 2 * EACH - 1}; // written by who has the turn
    private final AtomicLong received = new AtomicLong();
    private final AtomicLong dropped = new AtomicLong();
    private volatile boolean asksAgain;

    Subscriber(String topic, int buffer, Overflow overflow) throws Exception {
      this.overflow = overflow;
      this.source = embedded.link.consume(
          new Route.Topic(topic), new ConsumerSettings(8, 8, buffer, overflow), this);
    }

    Void read() {
      Random random = new Random();
      while (!over.get()) {
        readSome(random);
      }
      return null;
    }

    void readSome(Random random) {
      switch (random.nextInt(6)) {
        case 0 -> source.request(1 + random.nextInt(5));
        case 1 -> assertThat(source.buffer().messages()).isNotNegative();
        default -> source.poll(1 + random.nextInt(200));
      }
    }

    @Override
    public void deliver(RawDelivery delivery) {
      int number = Integer.parseInt(RecordingSink.text(delivery));
      boolean inOrder = number > last[number / EACH];
      boolean isNext = overflow != Overflow.BLOCK || number == last[number / EACH] + 1;
      last[number / EACH] = number;
      if (inOrder && isNext) { // else the sum is never reached
        received.incrementAndGet();
      }
      if (asksAgain) {
        source.request(1);
      }
    }

    @Override
    public void dropped(long messages) {
      dropped.addAndGet(messages);
    }

    @Override
    public void failed(MessagingException cause) {
      throw new AssertionError(cause);
    }
  }

  @Test
  void whatAllHaveReadIsNotKeptForThoseThatAreStuck() throws Exception {
    Source stuck = embedded.consume(NEWS, new RecordingSink(), 2, Overflow.DROP_OLDEST);
    RecordingSink sink = new RecordingSink();
    Source reads = embedded.consume(NEWS, sink, 100, Overflow.DROP_OLDEST);
    List<WeakReference<byte[]>> payloads = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      Message<byte[]> message = EmbeddedFixture.message("m" + i);
      payloads.add(new WeakReference<>(message.payload()));
      EmbeddedFixture.await(EmbeddedFixture.send(embedded.link, NEWS, message));
      reads.poll(1);
    }
    reads.request(1); // it waits: nobody has anything to read
    assertThat(sink.deliveries).hasSize(300);
    sink.deliveries.clear();
    Waiting.until(() -> {
      System.gc();
      return payloads.subList(0, 290).stream().allMatch(each -> each.get() == null);
    });
    assertThat(stuck.buffer().messages()).isEqualTo(2);
  }
}
