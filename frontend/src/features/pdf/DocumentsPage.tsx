import { Play } from "lucide-react";
import { useCallback, useState } from "react";
import { useNavigate } from "react-router";
import { OptionsFields } from "@/components/OptionsFields";
import { Button } from "@/components/ui/Button";
import { DropZone } from "@/components/ui/DropZone";
import { Notice } from "@/components/ui/Notice";
import { TextField } from "@/components/ui/TextField";
import { DEFAULT_OPTIONS, isComplete, type DocumentOptions } from "@/lib/api";
import { isPicture } from "@/lib/files";
import { useI18n } from "@/lib/i18n";
import { incomingFiles, useIncomingFiles } from "@/lib/incoming";
import { useTitle } from "@/lib/useTitle";
import styles from "./DocumentsPage.module.css";
import { UploadRow } from "./UploadRow";
import { uploadQueue, useUploads } from "./uploads";

const ACCEPTED = "application/pdf,.pdf,image/tiff,.tif,.tiff";
const MAX_WATCHED = 3;

/** Drop documents, start them, watch them. */
export function DocumentsPage() {
  const { t } = useI18n();
  const [options, setOptions] = useState<DocumentOptions>({
    ...DEFAULT_OPTIONS,
    pages: "",
    dpi: "144",
  });
  const [pictures, setPictures] = useState<File[]>([]);
  const uploads = useUploads();
  const navigate = useNavigate();
  useTitle(t.title.documents);

  const onFiles = useCallback((files: File[]) => {
    setPictures(files.filter(isPicture));
    uploadQueue.add(files.filter((file) => !isPicture(file)));
  }, []);
  const isOver = useIncomingFiles("documents", onFiles);

  const numChosen = uploads.filter((each) => each.state === "chosen").length;
  const newestFirst = [...uploads].reverse();
  return (
    <div className={styles.page}>
      <div className={styles.intro}>
        <h1>{t.documents.heading}</h1>
        <p>{t.documents.help}</p>
      </div>
      <OptionsFields options={options} onChange={setOptions}>
        <TextField
          label={t.options.pages}
          placeholder={t.options.pagesPlaceholder}
          value={options.pages}
          onChange={(event) => setOptions({ ...options, pages: event.target.value })}
        />
        <div className={styles.dpi}>
          <TextField
            label={t.options.dpi}
            unit={t.options.dpiUnit}
            inputMode="numeric"
            value={options.dpi}
            onChange={(event) => setOptions({ ...options, dpi: event.target.value })}
          />
        </div>
      </OptionsFields>
      <DropZone
        label={t.documents.dropZone}
        touchLabel={t.documents.dropZoneTouch}
        accept={ACCEPTED}
        isOver={isOver}
        multiple
        onFiles={onFiles}
      />
      {pictures.length > 0 && (
        <Notice
          tone="info"
          title={t.documents.areImages(pictures.map(({ name }) => name))}
          action={
            <Button
              onClick={() => {
                incomingFiles.give(pictures, "image");
                void navigate("/");
              }}
            >
              {t.documents.openImage}
            </Button>
          }
        />
      )}
      {uploads.length > 0 && (
        <section className={styles.chosen} aria-label={t.documents.chosen}>
          {numChosen > 0 && (
            <div className={styles.start}>
              <p>{t.documents.optionsHelp}</p>
              <Button
                look="primary"
                icon={<Play aria-hidden />}
                disabled={!isComplete(options)}
                onClick={() => uploadQueue.start(options)}
              >
                {t.documents.start(numChosen)}
              </Button>
            </div>
          )}
          <ul role="list" className={styles.list}>
            {newestFirst.map((each, index) => (
              <UploadRow
                key={each.id}
                upload={each}
                options={options}
                isWatched={index < MAX_WATCHED}
              />
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}
