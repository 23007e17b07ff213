package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.rpc.ErrorInfo;
import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import io.grpc.Channel;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a client and the log see of what a service throws. */
class RpcServerErrorsTest extends RpcTest {
  private static final Logger LOG = Logger.getLogger(ExceptionMapping.class.getName());

  private final List<LogRecord> logged = Collections.synchronizedList(new ArrayList<>());
  private final Handler noting = new Handler() {
    @Override
    public void publish(LogRecord entry) {
      logged.add(entry);
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  };

  /** The ways for a service to fail. */
  enum Way {
    THROWS,
    ON_ERROR;

    void fail(Exception error, StreamObserver<HelloReply> replies) {
      if (this == ON_ERROR) {
        replies.onError(error);
      } else {
        sneak(error);
      }
    }

    /** As Kotlin does, and Lombok. */
    @SuppressWarnings("unchecked")
    private static <E extends Exception> void sneak(Exception error) throws E {
      throw (E) error;
    }
  }

  @BeforeEach
  void listen() {
    LOG.setUseParentHandlers(false);
    LOG.addHandler(noting);
  }

  @AfterEach
  void listenNoMore() {
    LOG.removeHandler(noting);
    LOG.setUseParentHandlers(true);
  }

  private Status failing(RpcServerBuilder builder, Way way, Exception error) throws IOException {
    RpcServer server = start(
        builder.addService(TestService.unary((request, replies) -> way.fail(error, replies))));
    return failure(() -> call(channel(server)));
  }

  private Status failing(Way way, Exception error) throws IOException {
    return failing(RpcServer.builder(), way, error);
  }

  @ParameterizedTest
  @EnumSource
  void usualExceptionsHaveAStatus(Way way) throws Exception {
    assertThat(text(failing(way, new NumberFormatException("no number"))))
        .isEqualTo("INVALID_ARGUMENT: no number");
    assertThat(text(failing(way, new CompletionException(new TimeoutException("too late")))))
        .isEqualTo("DEADLINE_EXCEEDED: too late");
    assertThat(text(failing(way, Status.ABORTED.withDescription("again").asException())))
        .isEqualTo("ABORTED: again");
    assertThat(logged).isEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void exceptionWithoutAStatusIsInTheLogOnly(Way way) throws Exception {
    Exception error = new IOException("the password is secret");

    String seen = text(failing(way, error));

    assertThat(seen).matches("INTERNAL: internal error, error id [0-9a-f]{16}");
    assertThat(logged).hasSize(1);
    String id = seen.substring(seen.length() - 16);
    assertThat(logged.get(0).getThrown()).isSameAs(error);
    assertThat(logged.get(0).getMessage())
        .matches("call test.Service/Unary \\(peer /127.0.0.1:\\d+\\) failed, error id " + id);
  }

  /** A client causes as many as it likes. What was not logged leads to a line of the same fault. */
  @Test
  void faultsAreLoggedAtABoundedRateAndIdsLeadToALine() throws Exception {
    List<Class<? extends Exception>> kinds =
        List.of(IOException.class, ArithmeticException.class, IllegalStateException.class);
    AtomicInteger calls = new AtomicInteger();
    RpcServer server =
        start(RpcServer.builder().addService(TestService.unary((request, replies) -> {
          int number = calls.getAndIncrement();
          replies.onError(
              number < 200
                  ? new NullPointerException("always the same")
                  : made(kinds, number - 200));
        })));
    Channel channel = channel(server);

    Set<String> faults = new HashSet<>();
    for (int i = 0; i < 200; i++) {
      String text = text(failure(() -> call(channel)));
      faults.add(text.substring(text.length() - 16, text.length() - 8));
    }

    assertThat(faults).hasSize(1);
    assertThat(logged).hasSizeBetween(1, 50);
    assertThat(logged.get(0).getMessage())
        .contains("error id " + faults.iterator().next());
    assertThat(logged.get(0).getThrown()).hasMessage("always the same");
    for (int i = 0; i < kinds.size(); i++) {
      failure(() -> call(channel));
    }
    // Some of the kinds may share a place with others.
    assertThat(logged).anyMatch(each -> kinds.contains(each.getThrown().getClass()));
  }

  private static Exception made(List<Class<? extends Exception>> kinds, int number) {
    try {
      return kinds.get(number).getConstructor(String.class).newInstance("another");
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("made", e);
    }
  }

  @ParameterizedTest
  @EnumSource
  void nearestMappedTypeCounts(Way way) throws Exception {
    RpcServerBuilder mapped = RpcServer.builder()
        .mapException(IOException.class, broken -> Status.UNAVAILABLE)
        .mapException(
            FileNotFoundException.class,
            missing -> Status.NOT_FOUND.withDescription("no file " + missing.getMessage()))
        .mapException(Exception.class, other -> Status.DATA_LOSS);

    assertThat(text(failing(mapped, way, new FileNotFoundException("a.txt"))))
        .isEqualTo("NOT_FOUND: no file a.txt");
  }

  /** gRPC's observer says only which status it has found; the others map the exception itself. */
  @Test
  void statusOfACauseCountsForAPlainOnErrorOnly() throws Exception {
    Status elsewhere = Status.NOT_FOUND.withDescription("elsewhere");
    Exception error = new IOException("cannot ask", elsewhere.asRuntimeException());

    assertThat(text(failing(Way.ON_ERROR, error))).isEqualTo("NOT_FOUND: elsewhere");
    assertThat(text(failing(mapped(), Way.THROWS, error))).isEqualTo("UNAVAILABLE: cannot ask");
    RpcServer server = start(mapped()
        .addService(TestService.unary((request, replies) -> RpcMethod.unary(replies, () -> {
          throw error;
        }))));
    assertThat(text(failure(() -> call(channel(server))))).isEqualTo("UNAVAILABLE: cannot ask");
  }

  private static RpcServerBuilder mapped() {
    return RpcServer.builder()
        .mapException(
            IOException.class, broken -> Status.UNAVAILABLE.withDescription(broken.getMessage()));
  }

  @ParameterizedTest
  @EnumSource
  void mappedExceptionMayHaveDetails(Way way) throws Exception {
    ErrorInfo info = ErrorInfo.newBuilder().setReason("DISK_FULL").build();
    RpcServer server = start(RpcServer.builder()
        .mapExceptionWithDetails(
            IOException.class,
            full ->
                ErrorDetails.exception(Status.UNAVAILABLE.withDescription(full.getMessage()), info))
        .addService(
            TestService.unary((request, replies) -> way.fail(new IOException("full"), replies))));

    assertThatThrownBy(() -> call(channel(server)))
        .hasMessage("UNAVAILABLE: full")
        .satisfies(
            error -> assertThat(ErrorDetails.find(error, ErrorInfo.class)).hasValue(info));
  }

  @ParameterizedTest
  @EnumSource
  void descriptionThatNoClientCouldReadIsCut(Way way) throws Exception {
    assertThat(text(failing(way, new IllegalArgumentException("x".repeat(20_000)))))
        .isEqualTo(
            "INVALID_ARGUMENT: " + "x".repeat(4059) + "... (truncated from 20000 characters)");
    assertThat(text(failing(way, new IllegalArgumentException("\u20AC".repeat(460)))))
        .isEqualTo(
            "INVALID_ARGUMENT: " + "\u20AC".repeat(451) + "... (truncated from 460 characters)");
    assertThat(text(failing(way, new IllegalArgumentException("x".repeat(4096)))))
        .isEqualTo("INVALID_ARGUMENT: " + "x".repeat(4096));
  }

  @Test
  void mappingThatFailsIsInternal() throws Exception {
    RpcServerBuilder broken = RpcServer.builder().mapException(IOException.class, thrown -> {
      throw new IllegalStateException("broken mapping");
    });

    assertThat(text(failing(broken, Way.THROWS, new IOException("cause"))))
        .startsWith("INTERNAL: internal error, error id ");
    assertThat(logged.get(0).getThrown()).hasMessage("cause");
    assertThat(logged.get(0).getThrown().getSuppressed()[0]).hasMessage("broken mapping");
  }

  @Test
  @SuppressWarnings("NullAway")
  void mappingToNothingIsInternal() throws Exception {
    RpcServerBuilder broken = RpcServer.builder().mapException(IOException.class, thrown -> null);

    assertThat(text(failing(broken, Way.THROWS, new IOException("cause"))))
        .startsWith("INTERNAL: internal error, error id ");
    assertThat(logged.get(0).getThrown().getSuppressed()[0]).hasMessage("status of mapException");
  }

  @ParameterizedTest
  @EnumSource
  void statusThatSaysUnknownStaysSo(Way way) throws Exception {
    Exception unknown =
        Status.UNKNOWN.withDescription("who knows").withCause(new IOException()).asException();

    assertThat(text(failing(way, unknown))).isEqualTo("UNKNOWN: who knows");
    assertThat(logged).isEmpty();
  }

  @Test
  void errorIsInternalToo() throws Exception {
    RpcServer server = start(RpcServer.builder().addService(GreeterService.greeting(name -> {
      throw new AssertionError("must not be");
    })));

    assertThat(text(failure(() -> GreeterClient.of(channel(server)).sayHello("x"))))
        .startsWith("INTERNAL: internal error, error id ");
    assertThat(logged).hasSize(1);
  }

  @Test
  void interceptorThatThrowsIsMappedToo() throws Exception {
    ServerInterceptor refusing = new ServerInterceptor() {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        throw new SecurityException("who are you");
      }
    };
    RpcServer server =
        start(RpcServer.builder().intercept(refusing).addService(new GreeterService()));

    assertThat(text(failure(() -> GreeterClient.of(channel(server)).sayHello("x"))))
        .isEqualTo("PERMISSION_DENIED: who are you");
  }

  @Test
  void exceptionAfterTheEndIsOfNoInterest() throws Exception {
    RpcServer server =
        start(RpcServer.builder().addService(TestService.unary((request, replies) -> {
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
          throw new IllegalStateException("late");
        })));

    assertThat(call(channel(server))).isEqualTo(HelloReply.getDefaultInstance());
    Await.until("the call has ended", () -> server.counters().callsSucceeded() == 1);
  }

  @Test
  void messageThatIsNoneEndsItsCall() throws Exception {
    RpcServer server = start(
        RpcServer.builder().addService(TestService.unary((request, replies) -> awaitRelease())));

    Status refused = failure(() -> RawCall.unary(channel(server), new byte[] {10, 99}));

    assertThat(text(refused)).isEqualTo("INTERNAL: Invalid protobuf byte sequence");
  }
}
