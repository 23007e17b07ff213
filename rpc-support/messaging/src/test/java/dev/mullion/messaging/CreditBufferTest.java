package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.CreditBuffer;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Sink;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What waits in an engine for the credit of a live subscriber. */
class CreditBufferTest {
  private final List<Integer> delivered = Collections.synchronizedList(new ArrayList<>());
  private final AtomicLong dropped = new AtomicLong();
  private final Sink sink = new Sink() {
    @Override
    public void deliver(RawDelivery delivery) {
      delivered.add(Integer.valueOf(delivery.address()));
    }

    @Override
    public void dropped(long messages) {
      dropped.addAndGet(messages);
    }

    @Override
    public void failed(MessagingException cause) {
      throw new AssertionError(cause);
    }
  };

  private record Numbered(int number, int size) implements RawDelivery.Once {
    @Override
    public Message<byte[]> message() {
      return Message.of(new byte[size]);
    }

    @Override
    public String address() {
      return Integer.toString(number);
    }

    @Override
    public CompletionStage<Settlement> settle(Outcome outcome) {
      return CompletableFuture.completedStage(Settlement.APPLIED);
    }
  }

  private CreditBuffer buffer(int capacity, long bytes, Overflow overflow) {
    return new CreditBuffer(sink, new ConsumerSettings(1, 1, capacity, bytes, overflow));
  }

  private static void offer(CreditBuffer to, int from, int count, int size) {
    IntStream.range(from, from + count).forEach(each -> to.offer(new Numbered(each, size)));
  }

  @Test
  void oldestIsDropped() {
    CreditBuffer buffer = buffer(3, 1000, Overflow.DROP_OLDEST);
    offer(buffer, 0, 5, 1);
    buffer.request(10);
    assertThat(delivered).containsExactly(2, 3, 4);
    assertThat(dropped).hasValue(2);
    offer(buffer, 5, 7, 1); // the credit that is left
    assertThat(delivered).hasSize(10);
    offer(buffer, 12, 1, 1);
    assertThat(delivered).hasSize(10);
  }

  @Test
  void newestIsDropped() {
    CreditBuffer buffer = buffer(3, 1000, Overflow.DROP_NEWEST);
    offer(buffer, 0, 5, 1);
    buffer.request(10);
    assertThat(delivered).containsExactly(0, 1, 2);
    assertThat(dropped).hasValue(2);
  }

  @Test
  void bytesAreBoundedAndALargeOneWaitsAlone() {
    CreditBuffer buffer = buffer(100, 1000, Overflow.DROP_NEWEST);
    offer(buffer, 0, 3, 400);
    assertThat(dropped).hasValue(1);
    buffer.request(2);
    offer(buffer, 3, 1, 5000);
    offer(buffer, 4, 1, 1);
    buffer.request(9);
    assertThat(delivered).containsExactly(0, 1, 3);
    assertThat(dropped).hasValue(2);
  }

  @Test
  void nothingIsDeliveredAfterTheCancel() {
    CreditBuffer buffer = buffer(3, 1000, Overflow.DROP_NEWEST);
    offer(buffer, 0, 2, 1);
    buffer.cancel();
    buffer.request(5);
    offer(buffer, 2, 1, 1);
    assertThat(delivered).isEmpty();
    assertThat(dropped).hasValue(0);
  }

  // A message that arrived while older ones were handed out came before these.
  @Test
  void orderIsKeptWhileCreditComesFromAnotherThread() throws Exception {
    int count = 20_000;
    CreditBuffer buffer = buffer(count, 1 << 20, Overflow.DROP_NEWEST);
    CompletableFuture<Void> requests = CompletableFuture.runAsync(
        () -> IntStream.range(0, count / 4).forEach(each -> buffer.request(4)));
    offer(buffer, 0, count, 1);
    requests.get(30, TimeUnit.SECONDS);
    assertThat(delivered).hasSize(count).isSorted();
  }
}
