package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.context.Scope;
import io.opentelemetry.sdk.testing.junit5.OpenTelemetryExtension;
import io.opentelemetry.sdk.trace.data.SpanData;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class MessagingTracesTest {
  @RegisterExtension
  static final OpenTelemetryExtension TELEMETRY = OpenTelemetryExtension.create();

  private final MessagingObserver observer = MessagingTraces.observer(TELEMETRY.getOpenTelemetry());

  private static String attribute(SpanData span, String name) {
    return String.valueOf(span.getAttributes().get(AttributeKey.stringKey(name)));
  }

  @Test
  void receiverContinuesTheTraceOfTheSender() {
    Span outer =
        TELEMETRY.getOpenTelemetry().getTracer("test").spanBuilder("outer").startSpan();
    Message<String> sent;
    try (Scope current = outer.makeCurrent()) {
      assertThat(current).isNotNull();
      sent = observer.sending("orders", Message.of("x").withId("17").withCorrelationId("c"));
    }
    outer.end();
    assertThat(sent.header("traceparent").orElseThrow())
        .matches("00-" + outer.getSpanContext().getTraceId() + "-[0-9a-f]{16}-0[13]");

    MessagingObserver.Scope scope = observer.handling("orders", sent);
    Span.current().addEvent("inside");
    scope.close(null);
    assertThat(Span.current().getSpanContext().isValid()).isFalse();

    List<SpanData> spans = TELEMETRY.getSpans();
    SpanData producer = spans.stream()
        .filter(each -> each.getKind() == SpanKind.PRODUCER)
        .findFirst()
        .orElseThrow();
    SpanData consumer = spans.stream()
        .filter(each -> each.getKind() == SpanKind.CONSUMER)
        .findFirst()
        .orElseThrow();
    assertThat(producer.getName()).isEqualTo("send orders");
    assertThat(producer.getParentSpanId()).isEqualTo(outer.getSpanContext().getSpanId());
    assertThat(consumer.getName()).isEqualTo("process orders");
    assertThat(consumer.getParentSpanId()).isEqualTo(producer.getSpanId());
    assertThat(consumer.getLinks())
        .hasSize(1)
        .first()
        .satisfies(
            link -> assertThat(link.getSpanContext().getSpanId()).isEqualTo(producer.getSpanId()));
    assertThat(consumer.getEvents()).hasSize(1);
    assertThat(attribute(consumer, "messaging.destination.name")).isEqualTo("orders");
    assertThat(attribute(consumer, "messaging.operation.type")).isEqualTo("process");
    assertThat(attribute(consumer, "messaging.message.id")).isEqualTo("17");
    assertThat(attribute(consumer, "messaging.message.conversation_id")).isEqualTo("c");
    assertThat(attribute(producer, "messaging.operation.type")).isEqualTo("send");
    assertThat(attribute(producer, "messaging.system")).isEqualTo("mullion");
  }

  /** A reply began a trace of its own, since it is sent when its replier has returned. */
  @Test
  void replyIsInTheTraceOfItsRequest() throws Exception {
    Subject<String, String> subject = Subject.of("ask", Codecs.utf8(), Codecs.utf8());
    Message<String> reply;
    try (Messaging messaging =
        Messaging.builder(EmbeddedEngine.inMemory()).observe(observer).start()) {
      messaging.reply(subject, question -> "reply");
      reply = messaging
          .requestMessage(subject, Message.of("question"), Duration.ofSeconds(20))
          .get();
    }

    List<SpanData> spans = TELEMETRY.getSpans();
    assertThat(spans)
        .extracting(SpanData::getName)
        .containsExactlyInAnyOrder("send ask", "process ask", "send ask");
    assertThat(spans).extracting(SpanData::getTraceId).containsOnly(spans.get(0).getTraceId());
    assertThat(reply.header("traceparent").orElseThrow()).contains(spans.get(0).getTraceId());
  }

  @Test
  void failureIsOnTheSpan() {
    observer.handling("orders", Message.of("x")).close(new IllegalStateException("no paper"));

    SpanData span = TELEMETRY.getSpans().get(0);
    assertThat(span.getStatus().getStatusCode()).isEqualTo(StatusCode.ERROR);
    assertThat(span.getStatus().getDescription()).isEqualTo("no paper");
    assertThat(attribute(span, "error.type")).isEqualTo("java.lang.IllegalStateException");
    assertThat(span.getLinks()).isEmpty();
    assertThat(span.getParentSpanContext().isValid()).isFalse();
  }

  /** A message that is sent on outside of its handler keeps its trace. */
  @Test
  void messageWithATraceContinuesIt() {
    Message<String> sent = observer.sending("orders", Message.of("x"));
    Message<String> again = observer.sending("archive", sent);

    assertThat(again.header("traceparent").orElseThrow().substring(0, 35))
        .isEqualTo(sent.header("traceparent").orElseThrow().substring(0, 35));
    assertThat(again.header("traceparent")).isNotEqualTo(sent.header("traceparent"));
  }

  @Test
  void malformedTraceIsIgnored() {
    observer
        .handling("orders", Message.of("x").withHeader("traceparent", "00-zz"))
        .close(null);

    assertThat(TELEMETRY.getSpans()).hasSize(1);
  }

  @Test
  void withoutATracerContextIsPassedOn() {
    MessagingObserver noop = MessagingTraces.observer(OpenTelemetry.noop());
    String parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    Message<String> sent =
        noop.sending("orders", Message.of("x").withHeader("traceparent", parent));

    assertThat(sent.header("traceparent")).contains(parent);
    noop.handling("orders", sent).close(null);
  }
}
