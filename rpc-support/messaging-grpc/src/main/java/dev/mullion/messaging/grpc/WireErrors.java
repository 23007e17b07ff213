package dev.mullion.messaging.grpc;

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
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.grpc.v1.Error;
import dev.mullion.messaging.grpc.v1.Error.Kind;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/** Errors on the wire: each named exception has its kind, and comes back as itself. */
final class WireErrors {
  private static final int MOST_CHARACTERS = 4096;

  private WireErrors() {}

  static Error of(Kind kind, String text) {
    return Error.newBuilder().setKind(kind).setText(bounded(text)).build();
  }

  static Error of(Throwable thrown) {
    Throwable error = cause(thrown);
    boolean maybe = error instanceof MessagingException known && known.maybeAccepted();
    return Error.newBuilder()
        .setKind(kind(error))
        .setText(bounded(error.getMessage() == null ? error.toString() : error.getMessage()))
        .setMaybeAccepted(maybe)
        .build();
  }

  /** Returns what a stage failed with. */
  static Throwable cause(Throwable thrown) {
    Throwable error = thrown;
    while ((error instanceof CompletionException || error instanceof ExecutionException)
        && error.getCause() != null) {
      error = error.getCause();
    }
    return error;
  }

  static String bounded(@Nullable String text) {
    if (text == null) {
      return "";
    }
    return text.length() <= MOST_CHARACTERS
        ? text
        : text.substring(0, MOST_CHARACTERS - 16) + "... (truncated)";
  }

  private static Kind kind(Throwable error) {
    if (error instanceof QueueFullException) {
      return Kind.KIND_QUEUE_FULL;
    } else if (error instanceof NobodyListensException) {
      return Kind.KIND_NOBODY_LISTENS;
    } else if (error instanceof ConflictingDeclarationException) {
      return Kind.KIND_CONFLICTING_DECLARATION;
    } else if (error instanceof UnsupportedSettingException) {
      return Kind.KIND_UNSUPPORTED_SETTING;
    } else if (error instanceof MissingAddressException) {
      return Kind.KIND_MISSING_ADDRESS;
    } else if (error instanceof MessageTooLargeException) {
      return Kind.KIND_MESSAGE_TOO_LARGE;
    } else if (error instanceof StoreException) {
      return Kind.KIND_STORE;
    } else if (error instanceof BrokerAwayException) {
      return Kind.KIND_ENGINE_AWAY;
    } else if (error instanceof RequestFailedException) {
      return Kind.KIND_REQUEST_FAILED;
    } else if (error instanceof UndecodableMessageException) {
      return Kind.KIND_UNDECODABLE;
    } else if (error instanceof PermissionDeniedException) {
      return Kind.KIND_PERMISSION_DENIED;
    }
    return error instanceof IllegalArgumentException ? Kind.KIND_INVALID : Kind.KIND_UNSPECIFIED;
  }

  /** Returns the exception that a client throws; a kind of a later server is unspecified. */
  static MessagingException from(Error error) {
    String text = error.getText();
    return switch (error.getKind()) {
      case KIND_PERMISSION_DENIED -> new PermissionDeniedException(text);
      case KIND_CONFLICTING_DECLARATION -> new ConflictingDeclarationException(text);
      case KIND_UNSUPPORTED_SETTING -> new UnsupportedSettingException(text);
      case KIND_MISSING_ADDRESS ->
        new MissingAddressException(text, null, error.getMaybeAccepted());
      case KIND_QUEUE_FULL -> new QueueFullException(text, error.getMaybeAccepted());
      case KIND_MESSAGE_TOO_LARGE -> new MessageTooLargeException(text);
      case KIND_STORE -> new StoreException(text);
      case KIND_ENGINE_AWAY -> new BrokerAwayException(text, null, error.getMaybeAccepted());
      case KIND_NOBODY_LISTENS -> new NobodyListensException(text);
      case KIND_REQUEST_FAILED -> new RequestFailedException(text);
      case KIND_UNDECODABLE -> new UndecodableMessageException(text);
      case KIND_STOPPING -> new BrokerAwayException(text, null, false);
      default -> new ServerFailedException(text, error.getMaybeAccepted());
    };
  }

  static Kind kind(Reply.Status status) {
    return switch (status) {
      case UNDECODABLE -> Kind.KIND_UNDECODABLE;
      case LOST -> Kind.KIND_LOST;
      default -> Kind.KIND_REQUEST_FAILED;
    };
  }

  static Reply.Status status(Kind kind) {
    return switch (kind) {
      case KIND_UNDECODABLE -> Reply.Status.UNDECODABLE;
      case KIND_LOST -> Reply.Status.LOST;
      default -> Reply.Status.FAILED;
    };
  }
}
