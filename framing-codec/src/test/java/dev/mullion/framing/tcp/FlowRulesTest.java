package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Flow;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.function.ThrowingConsumer;
import org.opentest4j.TestAbortedException;
import org.reactivestreams.tck.TestEnvironment;
import org.reactivestreams.tck.flow.FlowPublisherVerification;
import org.reactivestreams.tck.flow.FlowSubscriberBlackboxVerification;
import org.testng.SkipException;
import org.testng.annotations.Test;

/**
 * The rules of {@link Flow}, for the publisher and the subscriber of connections over sockets. The
 * tests of the kit are TestNG's; here each of them is a dynamic test. One that does not apply skips
 * itself, and one that nobody can write says so by skipping itself too.
 */
class FlowRulesTest {
  private static final long TIMEOUT_MILLIS = 4000;
  private static final long COLLECTED_MILLIS = 1000;
  private static final long QUIET_MILLIS = 50;

  /** How often the kit looks for an error; else it sleeps for the whole timeout before it looks. */
  private static final long LOOK_MILLIS = 10;

  private static final Deque<FramedClient> CLIENTS = new ConcurrentLinkedDeque<>();

  /** Sends as many frames as the first one of its client says, and ends. */
  @AutoClose
  private final FramedServer source;

  /** Takes what comes. */
  @AutoClose
  private final FramedServer sink;

  FlowRulesTest() throws IOException {
    source = FramedServer.builder().handler(FlowRulesTest::sendFrames).start();
    sink = FramedServer.builder()
        .handler(connection -> {
          while (connection.receive() != null) {
            // Until the end.
          }
        })
        .start();
  }

  private static void sendFrames(FramedConnection connection) throws IOException {
    long frames = ByteBuffer.wrap(connection.receive()).getLong();
    try {
      for (long i = 0; i < frames; i++) {
        connection.send(("frame " + i).getBytes(UTF_8));
      }
    } catch (FrameNotSentException e) {
      // The subscriber has cancelled.
    }
  }

  private static FramedConnection connect(FramedServer server) {
    try {
      FramedClient client = FramedClient.connect("127.0.0.1", server.port());
      CLIENTS.add(client);
      return client.connection();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static TestEnvironment environment() {
    return new TestEnvironment(TIMEOUT_MILLIS, QUIET_MILLIS, LOOK_MILLIS);
  }

  private static void closeClients() {
    for (FramedClient client = CLIENTS.poll(); client != null; client = CLIENTS.poll()) {
      client.close();
    }
  }

  /** Public, as the class it extends. */
  public static final class PublisherRules extends FlowPublisherVerification<byte[]> {
    private final FramedServer source;
    private final FramedServer sink;

    PublisherRules(FramedServer source, FramedServer sink) {
      super(environment(), COLLECTED_MILLIS);
      this.source = source;
      this.sink = sink;
    }

    @Override
    public Flow.Publisher<byte[]> createFlowPublisher(long frames) {
      FramedConnection connection = connect(source);
      connection.sendAsync(ByteBuffer.allocate(8).putLong(0, frames));
      return connection.publisher();
    }

    @Override
    public Flow.Publisher<byte[]> createFailedFlowPublisher() {
      FramedConnection connection = connect(sink);
      connection.abort();
      return connection.publisher();
    }
  }

  /** Public, as the class it extends. */
  public static final class SubscriberRules extends FlowSubscriberBlackboxVerification<byte[]> {
    private final FramedServer sink;

    SubscriberRules(FramedServer sink) {
      super(environment());
      this.sink = sink;
    }

    @Override
    public Flow.Subscriber<byte[]> createFlowSubscriber() {
      return connect(sink).subscriber();
    }

    @Override
    public byte[] createElement(int element) {
      return ("frame " + element).getBytes(UTF_8);
    }
  }

  @TestFactory
  Stream<DynamicTest> publisherKeepsTheRules() {
    return tests(PublisherRules.class, method -> {
      PublisherRules rules = new PublisherRules(source, sink);
      rules.setUp();
      run(rules, method);
    });
  }

  @TestFactory
  Stream<DynamicTest> subscriberKeepsTheRules() {
    return tests(SubscriberRules.class, method -> {
      SubscriberRules rules = new SubscriberRules(sink);
      rules.startPublisherExecutorService();
      rules.setUp();
      try {
        run(rules, method);
      } finally {
        rules.shutdownPublisherExecutorService();
      }
    });
  }

  private static Stream<DynamicTest> tests(Class<?> kit, ThrowingConsumer<Method> run) {
    return Arrays.stream(kit.getMethods())
        .filter(method -> method.isAnnotationPresent(Test.class))
        .sorted(Comparator.comparing(Method::getName))
        .map(method -> DynamicTest.dynamicTest(method.getName(), () -> run.accept(method)));
  }

  private static void run(Object rules, Method method) throws Throwable {
    try {
      method.invoke(rules);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof SkipException skip) {
        throw new TestAbortedException(skip.getMessage(), skip);
      }
      throw e.getCause();
    } finally {
      closeClients();
    }
  }
}
