package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Lane.Put;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LaneTest {
  private static final int SENDERS = 3;
  private static final int EACH = 20_000;
  private static final int ROOM = 50;

  private final Lane lane = new Lane();

  private List<Object> pollAll() {
    List<Object> all = new ArrayList<>();
    for (Object item = lane.poll(); item != null; item = lane.poll()) {
      all.add(item);
    }
    return all;
  }

  @Test
  void itemsComeInTheirOrderOverManyChunks() {
    lane.open(Long.MAX_VALUE);
    List<Integer> numbers = IntStream.range(0, 1000).boxed().toList();
    numbers.forEach(each -> assertThat(lane.put(each, each)).isEqualTo(Put.DONE));
    assertThat(lane.size()).isEqualTo(1000);
    for (Integer each : numbers) {
      assertThat(lane.poll()).isEqualTo(each);
      assertThat(lane.time()).isEqualTo(each.longValue());
    }
    assertThat(lane.poll()).isNull();
    assertThat(lane.isEmpty()).isTrue();
  }

  @Test
  void takesNothingBeforeItIsOpened() {
    assertThat(lane.put("a", 0)).isEqualTo(Put.FULL);
    assertThat(lane.isEmpty()).isTrue();
  }

  @Test
  void roomIsThatBesidesWhatIsHere() {
    lane.open(2);
    assertThat(lane.put("a", 0)).isEqualTo(Put.DONE);
    assertThat(lane.put("b", 0)).isEqualTo(Put.DONE);
    assertThat(lane.put("c", 0)).isEqualTo(Put.FULL);
    assertThat(lane.poll()).isEqualTo("a");
    assertThat(lane.put("c", 0)).isEqualTo(Put.FULL); // not before its owner says so
    lane.open(2);
    assertThat(lane.put("c", 0)).isEqualTo(Put.DONE);
    assertThat(lane.put("d", 0)).isEqualTo(Put.FULL);
    assertThat(pollAll()).containsExactly("b", "c");
  }

  @Test
  void closedLaneKeepsWhatItHas() {
    lane.open(5);
    lane.put("a", 0);
    lane.close();
    assertThat(lane.put("b", 0)).isEqualTo(Put.FULL);
    assertThat(pollAll()).containsExactly("a");
  }

  @Test
  void tellsOfAnItemOnlyWhileItIsAwaited() {
    lane.open(10);
    assertThat(lane.await()).isTrue();
    assertThat(lane.put("a", 0)).isEqualTo(Put.AWAITED);
    lane.awaitNoMore();
    assertThat(lane.put("b", 0)).isEqualTo(Put.DONE);
    assertThat(lane.await()).isFalse(); // there is something
    assertThat(lane.put("c", 0)).isEqualTo(Put.DONE);
    assertThat(pollAll()).containsExactly("a", "b", "c");
    assertThat(lane.await()).isTrue();
  }

  @Test
  void sendersLoseNothingAndKeepTheirOrderAndTheBound() throws Exception {
    ExecutorService senders = Executors.newFixedThreadPool(SENDERS);
    AtomicBoolean failed = new AtomicBoolean();
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int sender = 0; sender < SENDERS; sender++) {
        int first = sender * EACH;
        all.add(senders.submit(() -> {
          for (int i = 0; i < EACH && !failed.get(); i++) {
            while (lane.put(first + i, 0) == Put.FULL && !failed.get()) {
              Thread.onSpinWait();
            }
          }
        }));
      }
      receive();
      for (Future<?> each : all) {
        each.get(10, TimeUnit.SECONDS);
      }
    } finally {
      failed.set(true); // ends senders that still wait
      senders.shutdownNow();
    }
  }

  private void receive() {
    int[] next = new int[SENDERS];
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    for (int received = 0; received < SENDERS * EACH; ) {
      assertThat(System.nanoTime() - end).isNegative();
      assertThat(lane.size()).isBetween(0L, (long) ROOM);
      for (Object item : pollAll()) {
        int sender = (int) item / EACH;
        assertThat((int) item % EACH).isEqualTo(next[sender]++);
        received++;
      }
      lane.open(ROOM);
    }
    assertThat(next).containsOnly(EACH);
  }
}
