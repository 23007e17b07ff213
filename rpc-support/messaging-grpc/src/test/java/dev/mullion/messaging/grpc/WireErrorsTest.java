package dev.mullion.messaging.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.NobodyListensException;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.RequestFailedException;
import dev.mullion.messaging.StoreException;
import dev.mullion.messaging.UndecodableMessageException;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.grpc.v1.Error;
import dev.mullion.messaging.grpc.v1.Error.Kind;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;

class WireErrorsTest {
  /** Kinds without an exception of their own. */
  private static final Set<Kind> UNNAMED = EnumSet.of(
      Kind.KIND_UNSPECIFIED,
      Kind.KIND_INVALID,
      Kind.KIND_LEASE_LOST,
      Kind.KIND_STOPPING,
      Kind.KIND_LOST,
      Kind.UNRECOGNIZED);

  /** A full queue came back as one that has certainly not accepted the message. */
  @Test
  void namedErrorsComeBackAsThemselves() {
    List<MessagingException> named = List.of(
        new PermissionDeniedException("text"),
        new ConflictingDeclarationException("text"),
        new UnsupportedSettingException("text"),
        new MissingAddressException("text"),
        new MissingAddressException("text", null, true),
        new QueueFullException("text"),
        new QueueFullException("text", true),
        new MessageTooLargeException("text"),
        new StoreException("text"),
        new BrokerAwayException("text", null, true),
        new BrokerAwayException("text", null, false),
        new NobodyListensException("text"),
        new RequestFailedException("text"),
        new UndecodableMessageException("text"));
    Set<Kind> seen = EnumSet.copyOf(UNNAMED);
    for (MessagingException each : named) {
      Error wire = WireErrors.of(new CompletionException(each));
      seen.add(wire.getKind());
      assertThat(WireErrors.from(wire))
          .hasSameClassAs(each)
          .hasMessage("text")
          .returns(each.maybeAccepted(), MessagingException::maybeAccepted);
    }
    assertThat(seen).containsExactlyInAnyOrder(Kind.values());
  }

  @Test
  void otherErrorsKeepTheirText() {
    Error invalid = WireErrors.of(new NumberFormatException("no number"));
    assertThat(invalid.getKind()).isEqualTo(Kind.KIND_INVALID);
    assertThat(WireErrors.from(invalid))
        .isInstanceOf(ServerFailedException.class)
        .hasMessage("no number");
    Error unknown = WireErrors.of(new IllegalStateException());
    assertThat(unknown.getKind()).isEqualTo(Kind.KIND_UNSPECIFIED);
    assertThat(WireErrors.from(unknown))
        .isInstanceOf(ServerFailedException.class)
        .hasMessage("java.lang.IllegalStateException");
  }
}
