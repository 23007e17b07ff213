package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.junit.jupiter.api.Test;

class KnownTopicsTest {
  private static final Uuid FIRST = new Uuid(1, 1);
  private static final Uuid SECOND = new Uuid(2, 2);

  private final KnownTopics known = new KnownTopics();
  private long asked = System.nanoTime();

  private void exists(Uuid id) {
    known.exists("topic", id, ++asked);
  }

  // A node that lags behind let all readers begin again, twice.
  @Test
  void formerIdNeverComesBack() {
    exists(FIRST);
    exists(SECOND);
    exists(FIRST);
    assertThat(known.id("topic")).isEqualTo(SECOND);
    assertThat(known.isAnother("topic", FIRST)).isTrue();
    assertThat(known.isAnother("topic", SECOND)).isFalse();
    exists(new Uuid(3, 3));
    exists(SECOND);
    assertThat(known.id("topic")).isEqualTo(new Uuid(3, 3));
  }

  @Test
  void missingTopicKeepsItsId() {
    exists(FIRST);
    known.missing("topic", ++asked);
    assertThat(known.isMissing("topic")).isTrue();
    assertThat(known.id("topic")).isEqualTo(FIRST);
    exists(SECOND);
    assertThat(known.isMissing("topic")).isFalse();
    assertThat(known.isAnother("topic", FIRST)).isTrue();
  }

  @Test
  void laterQuestionCounts() {
    long before = ++asked;
    exists(FIRST);
    known.missing("topic", before);
    assertThat(known.isMissing("topic")).isFalse();
  }

  // What another thread had learned meanwhile was forgotten.
  @Test
  void forgetsWhatIsNotNeededUnlessItWasLearnedSince() {
    exists(FIRST);
    long before = ++asked;
    known.exists("later", SECOND, ++asked);
    known.retain(Set.of("other"), before);
    assertThat(known.id("topic")).isNull();
    assertThat(known.id("later")).isEqualTo(SECOND);
  }
}
