package dev.mullion.messaging.rabbitmq;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.util.Objects.requireNonNull;
import static java.util.stream.Collectors.toList;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.NoOpMetricsCollector;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingBuilder;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** When the broker closes a channel, only the subscription that has it ends or begins again. */
@Timeout(120)
@ExtendWith(WithBroker.class)
class ChannelEndTest {
  private static final long CONSUMER_TIMEOUT = 500;
  private static final int NUMBERS = 400;
  private static final int FEW = 5;

  private final WorkQueue<String> queue = queue("own");
  private final WorkQueue<String> other = queue("other");
  private final BlockingQueue<String> handled = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> handledByOther = new LinkedBlockingQueue<>();
  private final Queue<Throwable> losses = new ConcurrentLinkedQueue<>();
  private final CountDownLatch returns = new CountDownLatch(1);
  private RabbitMqEngine engine;
  private Messaging messaging;

  private static WorkQueue<String> queue(String name) {
    return WorkQueue.of("end-" + name + System.nanoTime(), Codecs.utf8());
  }

  @BeforeEach
  void start() throws Exception {
    engine = RabbitMqUnderTest.engine(Broker.shared().port(), "ends");
    open(engine);
    messaging.pull(other, job -> handledByOther.add(job.payload()));
  }

  private void open(RabbitMqEngine of) throws Exception {
    messaging = builder(of).start();
  }

  /** Large messages are left to the broker. */
  private MessagingBuilder builder(RabbitMqEngine of) {
    return Messaging.builder(of).maxMessageSize(16 << 20).listener(new MessagingListener() {
      @Override
      public void connectionLost(String where, Throwable cause) {
        losses.add(cause);
      }
    });
  }

  @AfterEach
  void close() {
    returns.countDown();
    messaging.close();
  }

  @Test
  void queueThatIsDeletedWhileItsWorkerHasGivenBack() throws Exception {
    Subscription worker = messaging.pull(queue, job -> handled.add(job.payload()));
    worker.pause();
    messaging.push(queue, "waits for too long").get(10, TimeUnit.SECONDS);
    await(() -> status().consumers() == 0);
    deleteQueue();
    worker.resume();
    assertThat(cause(worker))
        .isInstanceOf(MissingAddressException.class)
        .hasMessageContaining("ends.queue." + queue.name());
    assertOthersGoOn();
  }

  @Test
  void queueThatIsDeletedWhileItIsConsumed() throws Exception {
    Subscription worker = messaging.pull(queue, job -> handled.add(job.payload()));
    deleteQueue();
    assertThat(cause(worker)).isInstanceOf(MissingAddressException.class);
    assertOthersGoOn();
  }

  @Test
  void handlerThatTheBrokerDoesNotWaitFor() throws Exception {
    set("consumer_timeout", "" + CONSUMER_TIMEOUT);
    set("channel_tick_interval", "" + CONSUMER_TIMEOUT);
    try {
      messaging.pull(queue, job -> {
        returns.await();
        handled.add(job.payload() + " " + job.deliveryCount());
      });
      messaging.push(queue, "job").get(10, TimeUnit.SECONDS);
      await(() -> status().inFlight() == 2); // the broker has handed it out again
    } finally {
      set("consumer_timeout", "1800000");
      set("channel_tick_interval", "60000");
    }
    returns.countDown();
    // While the settings come back, it may be handed out more than twice.
    await(() -> handled.contains("job 1") && handled.size() > 1);
    assertOthersGoOn();
  }

  // All subscriptions were made again, and what they held came back with a loss counted. Later ones
  // of the sender went ahead of those that were repeated.
  @Test
  void messageThatIsTooLarge() throws Exception {
    WorkQueue<byte[]> large =
        WorkQueue.builder(queue.name(), Codecs.bytes()).ordered(true).build();
    messaging.declare(large);
    try (Messaging sender = Messaging.builder(engine).maxMessageSize(16 << 20).start()) {
      assertOnlyLargeFails(NUMBERS / 2, payload -> sender.push(large, payload));
    }
    messaging.pull(large, job -> handled.add(new String(job.payload(), US_ASCII)));
    assertThat(differentHandled()).containsExactlyElementsOf(numbers());
    assertOthersGoOn();
  }

  // Those behind it were marked as repeated, so subscribers ignored them.
  @Test
  void publishThatIsTooLarge() throws Exception {
    Topic<byte[]> topic = Topic.of(queue.name(), Codecs.bytes());
    messaging.subscribe(topic, message -> handled.add(new String(message.payload(), US_ASCII)));
    try (Messaging sender = builder(engine).start()) {
      assertOnlyLargeFails(NUMBERS / 2, payload -> sender.publish(topic, payload));
    }
    assertThat(differentHandled()).containsExactlyElementsOf(numbers());
    assertThat(handled).isEmpty();
    assertOthersGoOn();
  }

  private void assertOnlyLargeFails(int before, Function<byte[], CompletableFuture<Void>> send)
      throws Exception {
    List<CompletableFuture<Void>> small = new ArrayList<>();
    CompletableFuture<Void> refused = new CompletableFuture<>();
    for (String each : numbers()) {
      small.add(send.apply(each.getBytes(US_ASCII)));
      if (small.size() == before) {
        refused = send.apply(new byte[9 << 20]);
      }
    }
    for (CompletableFuture<Void> each : small) {
      each.get(30, TimeUnit.SECONDS);
    }
    assertThat(catchThrowable(refused::join)).hasCauseInstanceOf(MessageTooLargeException.class);
  }

  private static List<String> numbers() {
    return IntStream.range(0, NUMBERS).mapToObj(Integer::toString).collect(toList());
  }

  /** Returns what is handled, without repetitions, until all is there. */
  private Set<String> differentHandled() throws Exception {
    Set<String> all = new LinkedHashSet<>();
    while (all.size() < NUMBERS) {
      String next = handled.poll(30, TimeUnit.SECONDS);
      assertThat(next).as("after " + all.size()).isNotNull();
      all.add(requireNonNull(next));
    }
    return all;
  }

  // The small ones failed as too large too.
  @Test
  void requestThatIsTooLarge() throws Exception {
    Subject<byte[], byte[]> echo = Subject.of(queue.name(), Codecs.bytes(), Codecs.bytes());
    messaging.reply(echo, request -> request.payload());
    List<CompletableFuture<byte[]>> small = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      small.add(messaging.request(echo, new byte[10], Duration.ofSeconds(5)));
      if (i == 100 - FEW) {
        messaging.request(echo, new byte[9 << 20], Duration.ofSeconds(5));
      }
    }
    for (CompletableFuture<byte[]> each : small) {
      Throwable error = catchThrowable(() -> each.get(30, TimeUnit.SECONDS));
      if (error != null) { // lost with the channel
        assertThat(error.getCause()).isNotInstanceOf(MessageTooLargeException.class);
      }
    }
    CompletableFuture<byte[]> refused =
        messaging.request(echo, new byte[9 << 20], Duration.ofSeconds(5));
    assertThat(catchThrowable(refused::join)).hasCauseInstanceOf(MessageTooLargeException.class);
    assertOthersGoOn();
  }

  @Test
  void messageToAnExchangeThatIsForbidden() throws Exception {
    Broker broker = Broker.shared();
    broker.addUser("pushes");
    broker.control(
        "set_permissions", "pushes", ".*", "^amq\\.default$|^ends\\.queue|^ends\\.dec", ".*");
    messaging.close();
    open(RabbitMqEngine.builder()
        .addresses(broker.address())
        .prefix("ends")
        .user("pushes", "secret")
        .build());
    messaging.pull(other, job -> handledByOther.add(job.payload()));
    Topic<String> forbidden = Topic.of("forbidden", Codecs.utf8());
    for (int i = 0; i < 3; i++) {
      CompletableFuture<Void> refused = messaging.publish(forbidden, "x");
      assertThat(catchThrowable(refused::join)).hasCauseInstanceOf(PermissionDeniedException.class);
    }
    assertOthersGoOn();
  }

  // The broker handed it out again and again.
  @Test
  void queueOfDeadLettersThatIsDeleted() throws Exception {
    WorkQueue<String> once = WorkQueue.builder(queue.name(), Codecs.utf8())
        .redelivery(Redelivery.immediate(1))
        .build();
    messaging.declare(once);
    delete("ends.dead." + queue.name());
    messaging.pull(once, job -> {
      handled.add(job.payload());
      throw new IllegalStateException("fails");
    });
    messaging.push(once, "job").get(10, TimeUnit.SECONDS);
    await(() -> messaging.deadLetters(once).count().toCompletableFuture().get() == 1);
    assertThat(handled).containsExactly("job");
  }

  @Test
  void exchangeThatIsDeleted() throws Exception {
    Topic<String> topic = Topic.of("deleted-exchange", Codecs.utf8());
    WorkQueue<String> group = topic.group("group" + System.nanoTime());
    messaging.pull(group, job -> handled.add(job.payload()));
    messaging.subscribe(topic, message -> handledByOther.add(message.payload()));
    try (Connection operator = Plain.connect(Broker.shared().port());
        Channel channel = operator.createChannel()) {
      channel.exchangeDelete("ends.topics");
    }
    await(
        () -> { // what is published before the bindings are back reaches nobody
          messaging.publish(topic, "x").get(30, TimeUnit.SECONDS);
          return !handled.isEmpty() && !handledByOther.isEmpty();
        });
  }

  // The client had closed the channel, and nothing more arrived; or waited for its close on the
  // thread that reads its answer.
  @Test
  void exceptionInACallbackOfTheClient() throws Exception {
    AtomicBoolean fails = openFailing();
    Topic<String> topic = Topic.of(queue.name(), Codecs.utf8());
    messaging.pull(queue, job -> handled.add(job.payload()));
    messaging.subscribe(topic, message -> handledByOther.add(message.payload()));
    fails.set(true);
    messaging.push(queue, "job").get(10, TimeUnit.SECONDS);
    assertThat(handled.poll(10, TimeUnit.SECONDS)).isEqualTo("job");
    fails.set(true);
    messaging.publish(topic, "is lost").get(10, TimeUnit.SECONDS);
    await(() -> {
      messaging.publish(topic, "message").get(10, TimeUnit.SECONDS);
      return "message".equals(handledByOther.poll(100, TimeUnit.MILLISECONDS));
    });
    handledByOther.clear();
    assertOthersGoOn();
  }

  // Nothing followed the declarations any more, so each further one failed after a time.
  @Test
  void exceptionWhileDeclarationsAreRead() throws Exception {
    AtomicBoolean fails = openFailing();
    fails.set(true);
    messaging.declare(queue);
    await(() -> !fails.get());
    WorkQueue<String> later = queue("later");
    messaging.declare(later);
    messaging.pull(later, job -> handled.add(job.payload()));
    messaging.push(later, "job").get(10, TimeUnit.SECONDS);
    assertThat(handled.poll(10, TimeUnit.SECONDS)).isEqualTo("job");
  }

  /** Opens one whose client fails once with what it gets next, when the result is set. */
  private AtomicBoolean openFailing() throws Exception {
    AtomicBoolean fails = new AtomicBoolean();
    messaging.close();
    open(RabbitMqEngine.builder()
        .addresses(Broker.shared().address())
        .prefix("ends")
        .client(factory -> factory.setMetricsCollector(new NoOpMetricsCollector() {
          @Override
          public void consumedMessage(Channel channel, long tag, String consumer) {
            if (fails.getAndSet(false)) {
              throw new IllegalStateException("expected");
            }
          }
        }))
        .build());
    messaging.pull(other, job -> handledByOther.add(job.payload()));
    return fails;
  }

  private static void set(String setting, String value) throws Exception {
    Broker.shared().control("eval", "application:set_env(rabbit, " + setting + ", " + value + ").");
  }

  private void deleteQueue() throws Exception {
    delete("ends.queue." + queue.name());
  }

  private static void delete(String name) throws Exception {
    try (Connection operator = Plain.connect(Broker.shared().port());
        Channel channel = operator.createChannel()) {
      channel.queueDelete(name);
    }
  }

  private QueueStatus status() {
    return messaging.queues().toCompletableFuture().join().stream()
        .filter(each -> each.name().equals(queue.name()))
        .findFirst()
        .orElseThrow();
  }

  /** Returns why a subscription has ended. */
  private static @Nullable Throwable cause(Subscription ended) throws Exception {
    await(() -> ended.ready().toCompletableFuture().isCompletedExceptionally());
    try {
      ended.ready().toCompletableFuture().join();
      throw new AssertionError("it is ready");
    } catch (CompletionException e) {
      return e.getCause();
    }
  }

  private void assertOthersGoOn() throws Exception {
    messaging.push(other, "job of another").get(10, TimeUnit.SECONDS);
    assertThat(handledByOther.poll(10, TimeUnit.SECONDS)).isEqualTo("job of another");
    assertThat(losses).isEmpty();
  }

  /** What is waited for. */
  private interface Condition {
    boolean holds() throws Exception;
  }

  private static void await(Condition condition) throws Exception {
    long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!condition.holds()) {
      assertThat(System.nanoTime()).isLessThan(end);
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }
}
