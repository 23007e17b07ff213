package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.ShutdownSignalException;
import dev.mullion.messaging.BrokerAwayException;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class BrokerErrorsTest {
  private final BrokerErrors errors = new BrokerErrors("rabbit:5672");

  @Test
  void failureOfTheBrokerIsToldAsOne() {
    IOException error = new IOException(closed(AMQP.INTERNAL_ERROR, "INTERNAL_ERROR"));
    assertThat(BrokerErrors.hasFailed(error)).isTrue();
    assertThat(errors.of(error, "declaring queue orders", false))
        .isInstanceOf(BrokerAwayException.class)
        .hasMessage("broker rabbit:5672 has failed (declaring queue orders; see its log):"
            + " INTERNAL_ERROR");
  }

  @Test
  void connectionThatIsClosedForAFaultOfThisSideIsNoFailureOfTheBroker() {
    IOException error = new IOException(closed(AMQP.NOT_ALLOWED, "NOT_ALLOWED - no"));
    assertThat(BrokerErrors.hasFailed(error)).isFalse();
    assertThat(errors.of(error, "declaring queue orders", false))
        .hasMessageContaining("the connection to it was lost");
  }

  // Its text was "connection error", whatever had happened.
  @Test
  void lossTellsItsCause() {
    ShutdownSignalException error = new ShutdownSignalException(true, false, null, null);
    error.initCause(new IOException("Connection reset"));
    assertThat(errors.of(error, "connection", false)).hasMessageEndingWith(": Connection reset");
  }

  private static ShutdownSignalException closed(int code, String text) {
    AMQP.Connection.Close close = new AMQP.Connection.Close.Builder()
        .replyCode(code)
        .replyText(text)
        .classId(0)
        .methodId(0)
        .build();
    return new ShutdownSignalException(true, false, close, null);
  }
}
