import { Search } from "lucide-react";
import { useState } from "react";
import { useNavigate } from "react-router";
import { Button } from "@/components/ui/Button";
import { TextField } from "@/components/ui/TextField";
import { useI18n } from "@/lib/i18n";
import styles from "./TaskLookUp.module.css";

/** From an id to its task. */
export function TaskLookUp() {
  const { t } = useI18n();
  const [id, setId] = useState("");
  const navigate = useNavigate();
  return (
    <form
      role="search"
      aria-label={t.tasks.lookUp}
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        if (id.trim()) void navigate(`/tasks/${encodeURIComponent(id.trim())}`);
      }}
    >
      <TextField
        label={t.tasks.lookUp}
        isLabelHidden
        placeholder={t.tasks.lookUpPlaceholder}
        value={id}
        onChange={(event) => setId(event.target.value)}
      />
      <Button type="submit" icon={<Search aria-hidden />}>
        {t.tasks.find}
      </Button>
    </form>
  );
}
