package dev.mullion.rpc.greeter;

import static java.util.Objects.requireNonNull;

import com.google.rpc.BadRequest;
import dev.mullion.rpc.ErrorDetails;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.util.function.UnaryOperator;

/**
 * The Greeter service of {@code hello.proto}, which answers a name with {@code Hello, {name}!}. To
 * change the greeting, pass a function or override {@link #greet}.
 *
 * <pre>{@code
 * GreeterService service = GreeterService.greeting(name -> "Good morning, " + name + "!");
 * }</pre>
 *
 * <p>A name that is empty, or longer than {@link #MAX_NAME_LENGTH}, is rejected with {@code
 * INVALID_ARGUMENT} and a {@code google.rpc.BadRequest} that names the field. A client finds these
 * details with {@link ErrorDetails#find}.
 */
public class GreeterService extends GreeterGrpc.GreeterImplBase {
  /** The maximum length of a name in UTF-16 characters. */
  public static final int MAX_NAME_LENGTH = 256;

  /** Creates a service that answers {@code Hello, {name}!}. */
  public GreeterService() {}

  /** Returns a service with a custom greeting; several threads may call the function at once. */
  public static GreeterService greeting(UnaryOperator<String> greeting) {
    requireNonNull(greeting, "greeting");
    return new GreeterService() {
      @Override
      protected String greet(String name) {
        return greeting.apply(name);
      }
    };
  }

  /** Returns the greeting for a checked name; several threads may call this method at once. */
  protected String greet(String name) {
    return "Hello, " + name + "!";
  }

  @Override
  public final void sayHello(HelloRequest request, StreamObserver<HelloReply> replies) {
    String name = request.getName();
    if (name.isEmpty() || name.length() > MAX_NAME_LENGTH) {
      replies.onError(invalid(name));
      return;
    }
    replies.onNext(HelloReply.newBuilder().setMessage(greet(name)).build());
    replies.onCompleted();
  }

  private static StatusRuntimeException invalid(String name) {
    String text = "name: " + name.length() + " characters (expected: 1 to " + MAX_NAME_LENGTH + ")";
    return ErrorDetails.exception(
        Status.INVALID_ARGUMENT.withDescription(text),
        BadRequest.newBuilder()
            .addFieldViolations(
                BadRequest.FieldViolation.newBuilder().setField("name").setDescription(text))
            .build());
  }
}
