package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class UnconfirmedTest {
  private static final int MANY = 1_000;

  private final Unconfirmed unconfirmed = new Unconfirmed();
  private final List<Publication> all = new ArrayList<>();

  private static Publication publication() {
    return Publication.toQueue("queue", new Wire.Outgoing(new byte[0]));
  }

  private void addMany() {
    for (int number = all.size() + 1; number <= MANY; number++) {
      Publication each = publication();
      all.add(each);
      unconfirmed.add(number, each);
    }
  }

  private List<Integer> done() {
    List<Integer> numbers = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      if (all.get(i).done.isDone()) {
        numbers.add(i + 1);
      }
    }
    return numbers;
  }

  @Test
  void oneAnswerForOneOrForAllUpToIt() {
    addMany();
    unconfirmed.answered(3, false, true);
    unconfirmed.answered(MANY, false, true);
    assertThat(done()).containsExactly(3, MANY);
    unconfirmed.answered(4, true, false);
    assertThat(done()).containsExactly(1, 2, 3, 4, MANY);
    assertThat(all.get(2).done).isCompleted();
    assertThat(all.get(3).done).isCompletedExceptionally();
    unconfirmed.answered(MANY, true, true);
    assertThat(done()).hasSize(MANY);
    assertThat(unconfirmed.isEmpty()).isTrue();
  }

  @Test
  void answerForWhatIsNotHere() {
    unconfirmed.answered(1, false, true);
    unconfirmed.answered(7, true, true);
    addMany();
    unconfirmed.answered(MANY + 1, false, true);
    assertThat(done()).isEmpty();
    unconfirmed.answered(MANY + 1, true, true);
    assertThat(done()).hasSize(MANY);
  }

  @Test
  void isDrainedOnceInOrder() {
    addMany();
    assertThat(unconfirmed.remove(2)).isTrue();
    assertThat(unconfirmed.remove(2)).isFalse();
    List<Publication> left = new ArrayList<>(all);
    left.remove(1);
    assertThat(unconfirmed.drain()).isEqualTo(left);
    assertThat(unconfirmed.isDrained()).isTrue();
    unconfirmed.add(MANY + 1, all.get(0)); // by a writer that came too late
    assertThat(unconfirmed.drain()).isEmpty();
    assertThat(unconfirmed.remove(MANY + 1)).isTrue();
    assertThat(unconfirmed.isEmpty()).isTrue();
  }

  @Test
  void someAreTaken() {
    addMany();
    Publication first = all.get(0);
    Publication last = all.get(MANY - 1);
    assertThat(unconfirmed.takeIf(each -> each == first || each == last))
        .containsExactly(first, last);
    unconfirmed.answered(MANY, true, true);
    assertThat(done()).hasSize(MANY - 2).doesNotContain(1, MANY);
  }

  // The push had failed, since its first attempt had found no queue.
  @Test
  void repeatedOneFindsItsQueue() {
    Publication one = publication();
    one.attempted();
    unconfirmed.add(1, one);
    unconfirmed.returned("queue", null);
    assertThat(unconfirmed.drain()).containsExactly(one);

    one.attempted();
    Unconfirmed next = new Unconfirmed();
    next.add(1, one);
    next.answered(1, false, true);
    assertThat(one.done).isCompleted();
  }

  @Test
  void keepsWhatAMapKeeps() {
    Random random = new Random(1);
    for (int round = 0; round < 20; round++) {
      Unconfirmed ours = new Unconfirmed();
      NavigableMap<Long, Publication> open = new TreeMap<>();
      long next = 1L + random.nextInt(10_000);
      for (int step = 0; step < 1_000; step++) {
        if (random.nextInt(3) == 0) {
          next = add(random, next, ours, open);
        } else {
          answer(random, next, ours, open);
        }
        assertThat(ours.isEmpty()).isEqualTo(open.isEmpty());
      }
      assertThat(ours.drain()).containsExactlyElementsOf(open.values());
    }
  }

  /** Adds few, or now and then many, with holes. */
  private static long add(
      Random random, long next, Unconfirmed ours, NavigableMap<Long, Publication> open) {
    long number = next;
    for (int left = random.nextInt(random.nextInt(50) == 0 ? 5_000 : 20); left > 0; left--) {
      number += random.nextInt(10) == 0 ? 3 : 0;
      Publication each = publication();
      ours.add(number, each);
      open.put(number, each);
      number++;
    }
    return number;
  }

  private static void answer(
      Random random, long next, Unconfirmed ours, NavigableMap<Long, Publication> open) {
    long first = open.isEmpty() ? next : open.firstKey();
    long number = first + random.nextLong(next - first + 2) - 1;
    switch (random.nextInt(4)) {
      case 0 -> {
        ours.answered(number, true, true);
        open.headMap(number, true)
            .values()
            .forEach(each -> assertThat(each.done).isCompleted());
        open.headMap(number, true).clear();
      }
      case 1 -> assertThat(ours.remove(number)).isEqualTo(open.remove(number) != null);
      case 2 -> {
        Publication one = open.remove(number);
        assertThat(ours.takeIf(each -> each == one))
            .isEqualTo(one == null ? List.of() : List.of(one));
      }
      default -> {
        ours.answered(number, false, true);
        Publication one = open.remove(number);
        assertThat(one == null || one.done.isDone()).isTrue();
      }
    }
    open.values().stream().limit(3).forEach(each -> assertThat(each.done).isNotDone());
  }
}
