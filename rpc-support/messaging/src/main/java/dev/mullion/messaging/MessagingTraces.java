package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanBuilder;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;
import io.opentelemetry.context.propagation.TextMapPropagator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Carries trace context in the headers of messages, with OpenTelemetry. It needs {@code
 * io.opentelemetry:opentelemetry-api} on the class path.
 *
 * <pre>{@code
 * Messaging.builder(engine).observe(MessagingTraces.observer(openTelemetry)).start();
 *
 *  sender                                      receiver
 *  span "send orders" (PRODUCER)               span "process orders" (CONSUMER)
 *    header traceparent: 00-...-...-01 -------> parent, and linked
 * }</pre>
 *
 * <p>Spans and attributes have the names of OpenTelemetry's conventions for messaging. The span of
 * a receiver is current while its handler runs; that of an asynchronous handler ends when the
 * handler has returned its stage. If the given OpenTelemetry has no propagator, W3C trace context
 * is used.
 */
public final class MessagingTraces {
  private MessagingTraces() {}

  /**
   * Returns an observer for {@link MessagingBuilder#observe}.
   *
   * @throws IllegalStateException if opentelemetry-api is missing
   */
  @SuppressWarnings("exports") // Only callers need OpenTelemetry.
  public static MessagingObserver observer(OpenTelemetry openTelemetry) {
    OptionalLibrary.check(
        "MessagingTraces",
        "io.opentelemetry.api.OpenTelemetry",
        "io.opentelemetry:opentelemetry-api",
        "io.opentelemetry.api");
    return new Tracing(requireNonNull(openTelemetry, "openTelemetry"));
  }

  private static final class Tracing implements MessagingObserver {
    private final Tracer tracer;
    private final TextMapPropagator propagator;

    Tracing(OpenTelemetry openTelemetry) {
      this.tracer = openTelemetry.getTracer("dev.mullion.messaging");
      TextMapPropagator given = openTelemetry.getPropagators().getTextMapPropagator();
      this.propagator = given.fields().isEmpty() ? W3CTraceContextPropagator.getInstance() : given;
    }

    @Override
    public <T> Message<T> sending(String address, Message<T> message) {
      return sending(address, message, message);
    }

    @Override
    public <T> Message<T> replying(String address, Message<?> request, Message<T> reply) {
      return sending(address, request, reply);
    }

    /** Continues the trace of the thread, or else that of the headers of a message. */
    private <T> Message<T> sending(String address, Message<?> before, Message<T> message) {
      Context parent = Context.current();
      if (!Span.fromContext(parent).getSpanContext().isValid()) {
        parent = propagator.extract(parent, before.headers(), Headers.INSTANCE);
      }
      Span span = started("send", SpanKind.PRODUCER, address, message, parent, null);
      try {
        Map<String, String> headers = new LinkedHashMap<>();
        propagator.inject(parent.with(span), headers, (map, name, value) -> {
          if (map != null) {
            map.put(name, value);
          }
        });
        return message.withHeaders(headers);
      } finally {
        span.end();
      }
    }

    @Override
    @SuppressWarnings("MustBeClosedChecker") // Closed by the scope that is returned.
    public Scope handling(String address, Message<?> message) {
      Context parent = propagator.extract(Context.current(), message.headers(), Headers.INSTANCE);
      SpanContext sender = Span.fromContext(parent).getSpanContext();
      Span span = started("process", SpanKind.CONSUMER, address, message, parent, sender);
      io.opentelemetry.context.Scope current = parent.with(span).makeCurrent();
      return error -> {
        try {
          current.close();
        } finally {
          ended(span, error);
        }
      };
    }

    private Span started(
        String operation,
        SpanKind kind,
        String address,
        Message<?> message,
        Context parent,
        @Nullable SpanContext linked) {
      SpanBuilder builder = tracer
          .spanBuilder(operation + " " + address)
          .setSpanKind(kind)
          .setParent(parent)
          .setAttribute("messaging.system", "mullion")
          .setAttribute("messaging.destination.name", address)
          .setAttribute("messaging.operation.name", operation)
          .setAttribute("messaging.operation.type", operation)
          .setAttribute("messaging.message.id", message.id());
      message
          .correlationId()
          .ifPresent(id -> builder.setAttribute("messaging.message.conversation_id", id));
      if (linked != null && linked.isValid()) {
        builder.addLink(linked);
      }
      return builder.startSpan();
    }

    private static void ended(Span span, @Nullable Throwable error) {
      if (error != null) {
        span.setStatus(StatusCode.ERROR, String.valueOf(error.getMessage()));
        span.setAttribute("error.type", error.getClass().getName());
        span.recordException(error);
      }
      span.end();
    }
  }

  /** Reads headers. */
  private enum Headers implements TextMapGetter<Map<String, String>> {
    INSTANCE;

    @Override
    public @Nullable String get(@Nullable Map<String, String> headers, String name) {
      return headers == null ? null : headers.get(name);
    }
  }
}
