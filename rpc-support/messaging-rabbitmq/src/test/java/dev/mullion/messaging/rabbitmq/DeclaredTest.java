package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.NobodyListensException;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What is declared stays as it is; each error has the name, the broker and the setting. */
@ExtendWith(WithBroker.class)
class DeclaredTest {
  private final String name = "declared" + System.nanoTime();
  private String broker;
  private Messaging messaging;

  @BeforeEach
  void start() throws Exception {
    broker = Broker.shared().address();
    messaging = Messaging.on(
        RabbitMqEngine.builder().addresses(broker).prefix("declared").build());
  }

  @AfterEach
  void close() {
    messaging.close();
  }

  private WorkQueue.Builder<String> queue() {
    return WorkQueue.builder(name, Codecs.utf8()).capacity(2).overflow(Overflow.FAIL);
  }

  private static void assertFails(
      CompletableFuture<?> send, Class<? extends Exception> type, String... texts) {
    assertThatThrownBy(() -> send.get(20, TimeUnit.SECONDS))
        .cause()
        .isInstanceOf(type)
        .hasMessageContainingAll(texts);
  }

  @Test
  void otherSettingsAreRejected() throws Exception {
    messaging.declare(queue().build());
    WorkQueue<String> other = queue().handlerTimeout(Duration.ofSeconds(7)).build();
    assertThatThrownBy(() -> messaging.declare(other))
        .isInstanceOf(ConflictingDeclarationException.class)
        .hasMessageContainingAll(name, broker, "handlerTimeout: PT7S (declared: PT30S)");
  }

  // The new settings were declared, and the broker then did not take them: from then on neither
  // those nor the earlier ones could be used, by nobody.
  @Test
  void redeclarationThatTheBrokerRejectsChangesNothing() throws Exception {
    WorkQueue<String> declared = queue().build();
    messaging.declare(declared);
    for (UnaryOperator<WorkQueue.Builder<String>> change :
        List.<UnaryOperator<WorkQueue.Builder<String>>>of(
            each -> each.capacity(3),
            each -> each.overflow(Overflow.DROP_NEWEST).capacityBytes(1),
            each -> each.ordered(true),
            each -> each.maxDeadLetters(5),
            each -> each.deadLetterAge(Duration.ofHours(1)))) {
      WorkQueue<String> changed = change.apply(queue()).build();
      assertThatThrownBy(() -> messaging.redeclare(changed))
          .as(changed.toString())
          .isInstanceOf(ConflictingDeclarationException.class)
          .hasMessageContainingAll(name, broker, "inequivalent arg");
      messaging.declare(declared);
    }
    messaging.push(declared, "job").get(20, TimeUnit.SECONDS);
    messaging.redeclare(queue().handlerTimeout(Duration.ofSeconds(7)).build());
  }

  @Test
  void fullQueueTellsWhere() throws Exception {
    WorkQueue<String> queue = queue().build();
    messaging.declare(queue);
    assertThatThrownBy(
            () -> { // soft: it accepts some more
              for (int i = 0; i < 1_000; i++) {
                messaging.push(queue, "job").get(20, TimeUnit.SECONDS);
              }
            })
        .cause()
        .isInstanceOf(QueueFullException.class)
        .hasMessageContainingAll(name, broker, "capacity 2", "overflow FAIL");
  }

  @Test
  void nobodyListensThere() {
    Subject<String, String> subject = Subject.of(name, Codecs.utf8(), Codecs.utf8());
    assertFails(
        messaging.request(subject, "x", Duration.ofSeconds(20)),
        NobodyListensException.class,
        "subject." + name,
        broker);
  }

  @Test
  void deletedQueueIsMissing() throws Exception {
    WorkQueue<String> queue = queue().build();
    messaging.push(queue, "job").get(20, TimeUnit.SECONDS);
    try (Connection operator = Plain.connect(Broker.shared().port());
        Channel channel = operator.createChannel()) {
      channel.queueDelete("declared.queue." + name);
    }
    assertFails(
        messaging.push(queue, "job"),
        MissingAddressException.class,
        "declared.queue." + name,
        broker,
        "deleted");
  }
}
