package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.HelloReply;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.propagation.ContextPropagators;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.testing.exporter.InMemoryMetricReader;
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.function.ToDoubleFunction;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What watches calls and throws, wherever it does so, changes no call, no start and no stop. */
class ObserversThatThrowTest extends RpcTest {
  /** Held strongly, or the level would be forgotten. */
  private static final Logger FAILURES = Logger.getLogger(ObserverFailures.class.getName());

  @BeforeEach
  void quiet() {
    FAILURES.setLevel(Level.OFF);
  }

  @AfterEach
  void loud() {
    FAILURES.setLevel(null);
  }

  private OpenTelemetrySdk sdk() {
    return closing(OpenTelemetrySdk.builder()
        .setTracerProvider(SdkTracerProvider.builder()
            .addSpanProcessor(SimpleSpanProcessor.create(InMemorySpanExporter.create()))
            .build())
        .setMeterProvider(SdkMeterProvider.builder()
            .registerMetricReader(InMemoryMetricReader.create())
            .build())
        .setPropagators(ContextPropagators.create(W3CTraceContextPropagator.getInstance()))
        .build());
  }

  /** Returns one whose method of that name throws an Error, wherever it is. */
  private static Object throwingIn(String method, Class<?> type, Object real) {
    return Proxy.newProxyInstance(
        type.getClassLoader(), new Class<?>[] {type}, (proxy, called, arguments) -> {
          if (called.getName().equals(method)) {
            throw new LinkageError("by " + method);
          }
          Object result = invoked(real, called, arguments);
          Class<?> returned = called.getReturnType();
          return result != null
                  && returned.isInterface()
                  && returned != SpanContext.class
                  && (returned.getName().startsWith("io.opentelemetry.api.")
                      || returned.getName().startsWith("io.opentelemetry.context.propagation."))
              ? throwingIn(method, returned, result)
              : result;
        });
  }

  private static @Nullable Object invoked(
      Object real, java.lang.reflect.Method called, Object @Nullable [] arguments)
      throws Throwable {
    try {
      return called.invoke(real, arguments);
    } catch (InvocationTargetException thrown) {
      throw thrown.getTargetException();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "getTracerProvider",
        "getMeterProvider",
        "getPropagators",
        "tracerBuilder",
        "meterBuilder",
        "histogramBuilder",
        "counterBuilder",
        "build",
        "spanBuilder",
        "setParent",
        "startSpan",
        "storeInContext",
        "setAttribute",
        "addEvent",
        "setStatus",
        "end",
        "record",
        "add",
        "getTextMapPropagator",
        "inject",
        "extract"
      })
  void openTelemetryChangesNoCall(String method) throws Exception {
    OpenTelemetryObserver observer =
        OpenTelemetryObserver.of((OpenTelemetry) throwingIn(method, OpenTelemetry.class, sdk()));
    RpcServer server = start(
        RpcServer.builder().observe(observer).addService(TestService.unary((request, replies) -> {
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
        })));
    RpcChannel channel = closing(RpcChannel.builder()
        .address("127.0.0.1", server.port())
        .observe(observer)
        .build());

    for (int i = 0; i < 3; i++) {
      assertThat(call(channel)).isEqualTo(HelloReply.getDefaultInstance());
    }

    Await.until("the calls have ended", () -> server.counters().callsSucceeded() == 3);
    Await.until("no call is left", () -> server.counters().callsOpen() == 0);
    assertThat(server.counters().callsFailed()).isZero();
    assertThat(server.counters().observersFailed() + observer.failures())
        .as("failures by %s", method)
        .isPositive();
    assertThat(server.stop(Duration.ofSeconds(10)).cut()).isZero();
  }

  @Test
  void openTelemetryThatThrowsNothingCountsNothing() throws Exception {
    OpenTelemetryObserver observer = OpenTelemetryObserver.of(sdk());
    RpcServer server = start(
        RpcServer.builder().observe(observer).addService(TestService.unary((request, replies) -> {
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
        })));
    RpcChannel channel = closing(RpcChannel.builder()
        .address("127.0.0.1", server.port())
        .observe(observer)
        .build());

    assertThat(call(channel)).isEqualTo(HelloReply.getDefaultInstance());

    Await.until("the call has ended", () -> server.counters().callsSucceeded() == 1);
    assertThat(server.counters().observersFailed()).isZero();
    assertThat(observer.failures()).isZero();
  }

  /** Half of the meters cannot be made, and none can be removed. */
  @Test
  void metersThatThrowKeepNoServerFromStartingAndStopping() throws Exception {
    SimpleMeterRegistry broken = new SimpleMeterRegistry() {
      @Override
      protected <T> Gauge newGauge(Meter.Id id, @Nullable T measured, ToDoubleFunction<T> value) {
        throw new LinkageError("no gauge");
      }

      @Override
      public @Nullable Meter remove(Meter meter) {
        throw new LinkageError("not removed");
      }
    };
    RpcServer server = start(RpcServer.builder()
        .observe(MicrometerObserver.of(broken))
        .addService(TestService.unary((request, replies) -> {
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
        })));

    assertThat(broken.get("mullion.rpc.calls.started").functionCounter().count())
        .isZero();
    long atStart = server.counters().observersFailed();
    assertThat(atStart).isPositive();

    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", server.port()).build());
    assertThat(call(channel)).isEqualTo(HelloReply.getDefaultInstance());
    assertThat(server.stop(Duration.ofSeconds(10)).cut()).isZero();

    assertThat(server.isTerminated()).isTrue();
    assertThat(server.counters().observersFailed()).isGreaterThan(atStart);
  }
}
