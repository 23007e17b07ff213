package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The mapping from a service's exceptions to the statuses that clients see. */
final class ExceptionMapping {
  private final InternalErrors errors =
      new InternalErrors(System.getLogger(ExceptionMapping.class.getName()));
  private final Map<Class<?>, Function<Throwable, Outcome>> byType = new LinkedHashMap<>();

  /** The status and the trailers that a client receives. */
  record Outcome(Status status, Metadata trailers) {
    static Outcome of(StatusRuntimeException error) {
      return new Outcome(error.getStatus(), orNew(error.getTrailers()));
    }
  }

  /** Returns a new mapping with the defaults for common exceptions. */
  static ExceptionMapping usual() {
    ExceptionMapping mapping = new ExceptionMapping();
    mapping.put(IllegalArgumentException.class, described(Status.INVALID_ARGUMENT));
    mapping.put(NoSuchElementException.class, described(Status.NOT_FOUND));
    mapping.put(SecurityException.class, described(Status.PERMISSION_DENIED));
    mapping.put(UnsupportedOperationException.class, described(Status.UNIMPLEMENTED));
    mapping.put(TimeoutException.class, described(Status.DEADLINE_EXCEEDED));
    mapping.put(CancellationException.class, described(Status.CANCELLED));
    mapping.put(InterruptedException.class, described(Status.CANCELLED));
    return mapping;
  }

  private static Function<Throwable, Status> described(Status status) {
    return thrown -> status.withDescription(thrown.getMessage());
  }

  /** Returns an independent copy. */
  ExceptionMapping copy() {
    ExceptionMapping copy = new ExceptionMapping();
    copy.byType.putAll(byType);
    return copy;
  }

  <E extends Throwable> void put(Class<E> type, Function<? super E, Status> mapping) {
    byType.put(
        type,
        thrown -> new Outcome(
            requireNonNull(mapping.apply(type.cast(thrown)), "status of mapException"),
            new Metadata()));
  }

  <E extends Throwable> void putDetailed(
      Class<E> type, Function<? super E, StatusRuntimeException> mapping) {
    byType.put(
        type,
        thrown -> Outcome.of(requireNonNull(
            mapping.apply(type.cast(thrown)), "exception of mapExceptionWithDetails")));
  }

  /** Returns what the client receives. An unmapped exception is logged with the id that is sent. */
  Outcome outcome(Throwable thrown, String call) {
    Throwable error = unwrapped(thrown);
    if (error instanceof StatusRuntimeException known) {
      return Outcome.of(known);
    }
    if (error instanceof StatusException known) {
      return new Outcome(known.getStatus(), orNew(known.getTrailers()));
    }
    Function<Throwable, Outcome> mapping = nearest(error.getClass());
    if (mapping != null) {
      try {
        return mapping.apply(error);
      } catch (Throwable wrong) {
        // Whatever the mapping throws, the call must end.
        if (wrong != error) {
          error.addSuppressed(wrong);
        }
      }
    }
    return internal(error, call);
  }

  private Outcome internal(Throwable error, String call) {
    String id = errors.log(error, call);
    return new Outcome(
        Status.INTERNAL.withDescription("internal error, error id " + id), new Metadata());
  }

  /**
   * Returns an exception for {@code onError} that has the given one mapped itself. Otherwise gRPC
   * would take the status of any cause, such as that of a call to another server.
   */
  static Throwable toBeMapped(Throwable thrown) {
    Throwable error = unwrapped(thrown);
    return error instanceof StatusRuntimeException || error instanceof StatusException
        ? error
        : Status.UNKNOWN.withCause(error).asRuntimeException();
  }

  private static Throwable unwrapped(Throwable thrown) {
    Throwable error = thrown;
    while (error instanceof ExecutionException || error instanceof CompletionException) {
      Throwable cause = error.getCause();
      if (cause == null) {
        break;
      }
      error = cause;
    }
    return error;
  }

  private static Metadata orNew(@Nullable Metadata trailers) {
    return trailers == null ? new Metadata() : trailers;
  }

  private @Nullable Function<Throwable, Outcome> nearest(Class<?> type) {
    for (Class<?> each = type; each != null; each = each.getSuperclass()) {
      Function<Throwable, Outcome> mapping = byType.get(each);
      if (mapping != null) {
        return mapping;
      }
    }
    return null;
  }
}
