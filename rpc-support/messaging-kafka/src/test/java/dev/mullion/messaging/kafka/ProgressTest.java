package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.Uuid;
import org.junit.jupiter.api.Test;

/** What an ordered queue commits is what is read. */
class ProgressTest {
  private static final int BROKERS_BOUND = 4096; // offset.metadata.max.bytes
  private static final Uuid TOPIC = new Uuid(5, 7);

  @Test
  void looksAsItsDocumentationSays() {
    Progress progress = new Progress(
        19,
        new TreeMap<>(Map.of(
            10L, new Tries(1, 0, true, 0),
            13L, Tries.NONE,
            15L, new Tries(1, 2, false, 1_799_000_000_000L))));
    OffsetAndMetadata committed = progress.encode();
    assertThat(committed.offset()).isEqualTo(10);
    assertThat(committed.metadata()).isEqualTo("1 9 0,1,0! 3 2,1,2,myg65fy8");
    assertThat(Progress.decode(committed)).isEqualTo(progress);
  }

  @Test
  void isOneOffsetIfNothingIsOpen() {
    Progress progress = new Progress(7, new TreeMap<>());
    assertThat(progress.encode()).isEqualTo(new OffsetAndMetadata(7, "1 0"));
    assertThat(Progress.decode(progress.encode())).isEqualTo(progress);
    assertThat(progress.unsettled(10)).isEqualTo(3);
  }

  @Test
  void fitsTheBrokersBound() {
    TreeMap<Long, Tries> open = new TreeMap<>();
    long due = System.currentTimeMillis() + Duration.ofDays(3650).toMillis();
    for (int i = 0; i < Progress.MOST_OPEN; i++) {
      open.put(1_000_000_000L + 40_000_000L * i, new Tries(40_000, 40_000, false, due));
    }
    Progress progress = new Progress(Long.MAX_VALUE / 2, open);
    OffsetAndMetadata committed = progress.encode();
    assertThat(TopicId.with(committed, TOPIC).metadata().getBytes(StandardCharsets.UTF_8))
        .hasSizeLessThan(BROKERS_BOUND);
    assertThat(Progress.decode(committed)).isEqualTo(progress);
    assertThat(progress.delayed(System.currentTimeMillis())).isEqualTo(Progress.MOST_OPEN);
  }

  @Test
  void anothersCommitIsAnOffset() {
    for (String text : new String[] {"", "of another client", "2 9 0", "1 ?", "1 9 0,,!"}) {
      assertThat(Progress.decode(new OffsetAndMetadata(5, text)))
          .as(text)
          .isEqualTo(new Progress(5, new TreeMap<>()));
    }
  }

  @Test
  void tellsItsTopic() {
    Progress progress = new Progress(7, new TreeMap<>(Map.of(5L, Tries.NONE)));
    OffsetAndMetadata committed = TopicId.with(progress.encode(), TOPIC);
    assertThat(committed.metadata()).isEqualTo("1 2 0 @" + TOPIC);
    assertThat(Progress.decode(committed)).isEqualTo(progress);
    assertThat(TopicId.isOfAnother(committed, TOPIC)).isFalse();
    assertThat(TopicId.isOfAnother(committed, new Uuid(5, 8))).isTrue();
    assertThat(TopicId.isOfAnother(committed, null)).isFalse();
    assertThat(TopicId.isOfAnother(progress.encode(), TOPIC)).isFalse();
    assertThat(TopicId.with(new OffsetAndMetadata(3), TOPIC).metadata()).isEqualTo("@" + TOPIC);
  }
}
