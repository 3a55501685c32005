import { useRouteError } from "react-router";
import { ErrorNotice } from "@/components/ui/ErrorNotice";
import styles from "./NotFound.module.css";

/** A view that failed, or whose code could not be fetched: a reload may bring it. */
export function ViewError() {
  const error = useRouteError();
  return (
    <main className={styles.page}>
      <ErrorNotice error={error} onRetry={() => window.location.reload()} />
    </main>
  );
}
