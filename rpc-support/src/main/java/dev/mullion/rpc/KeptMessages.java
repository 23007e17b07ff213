package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Keeps messages that are streams, as in proxies, until they are read. gRPC closes the stream of an
 * inbound message as soon as its marshaller has returned, so a later reader would find it empty.
 */
final class KeptMessages {
  private KeptMessages() {}

  /** Returns the message, or one with the same bytes that only its reader closes. */
  @SuppressWarnings("unchecked")
  static <T> T parse(Marshaller<T> marshaller, InputStream stream) throws IOException {
    T message = marshaller.parse(stream);
    return message == stream ? (T) WholeMessage.of(stream.readAllBytes()).stream() : message;
  }

  /** Returns a service whose requests are kept, and whose calls end if a reply cannot be sent. */
  static ServerServiceDefinition in(ServerServiceDefinition service) {
    ServiceDescriptor described = service.getServiceDescriptor();
    ServiceDescriptor.Builder kept = ServiceDescriptor.newBuilder(described.getName())
        .setSchemaDescriptor(described.getSchemaDescriptor());
    List<ServerMethodDefinition<?, ?>> methods = new ArrayList<>();
    for (ServerMethodDefinition<?, ?> each : service.getMethods()) {
      ServerMethodDefinition<?, ?> method = method(each);
      kept.addMethod(method.getMethodDescriptor());
      methods.add(method);
    }
    ServerServiceDefinition.Builder builder = ServerServiceDefinition.builder(kept.build());
    methods.forEach(builder::addMethod);
    return builder.build();
  }

  private static <Q, R> ServerMethodDefinition<Q, R> method(ServerMethodDefinition<Q, R> method) {
    MethodDescriptor<Q, R> descriptor = method.getMethodDescriptor();
    return Stream.of(descriptor.getRequestMarshaller(), descriptor.getResponseMarshaller())
            .allMatch(PrototypeMarshaller.class::isInstance)
        ? method
        : ServerMethodDefinition.create(
            descriptor.toBuilder(
                    kept(descriptor.getRequestMarshaller()),
                    kept(descriptor.getResponseMarshaller()))
                .build(),
            method.getServerCallHandler());
  }

  private static <T> Marshaller<T> kept(Marshaller<T> marshaller) {
    return marshaller instanceof PrototypeMarshaller ? marshaller : new Kept<>(marshaller);
  }

  private record Kept<T>(Marshaller<T> marshaller) implements Marshaller<T> {
    @Override
    public InputStream stream(T value) {
      try {
        return requireNonNull(marshaller.stream(value), "stream of a marshaller");
      } catch (Throwable thrown) {
        return new UnsentMessage(thrown);
      }
    }

    @Override
    public T parse(InputStream stream) {
      try {
        return KeptMessages.parse(marshaller, stream);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
