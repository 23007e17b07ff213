package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class UnconfirmedTest {
  private static final int MANY = 1_000;

  private final Unconfirmed unconfirmed = new Unconfirmed();
  private final List<Publication> all = new ArrayList<>();

  private void addMany() {
    for (int number = all.size() + 1; number <= MANY; number++) {
      Publication each = Publication.toQueue("queue", new Wire.Outgoing(new byte[0]));
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
}
