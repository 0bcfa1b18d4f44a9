// Use a client of openapi-generator: give a URL and the credentials.
package main

import (
	"context"
	"log"
	"net/url"
	"os"
	"strings"

	client "example.org/client"
)

const user = 42

func main() {
	configuration := client.NewConfiguration()
	configuration.Servers = client.ServerConfigurations{{URL: os.Args[1]}}
	stranger := client.NewAPIClient(configuration).TasksAPI
	configuration = client.NewConfiguration()
	configuration.Servers = client.ServerConfigurations{{URL: os.Args[1]}}
	configuration.AddDefaultHeader("Authorization", os.Args[2])
	tasks, background := client.NewAPIClient(configuration).TasksAPI, context.Background()

	created := []*client.Task{}
	for _, title := range []string{"one", "two"} {
		fields := client.NewTaskCreate(title)
		fields.SetDescription("x")
		task, _, err := tasks.CreateTask(background, user).TaskCreate(*fields).Execute()
		must(err == nil, err)
		created = append(created, task)
	}
	page, answer, err := tasks.ListTasks(background, user).Limit(1).Execute()
	must(err == nil && len(page) == 1 && page[0].Id == created[1].Id, err)
	_, cursor, _ := strings.Cut(answer.Header.Get("Link"), "after=")
	cursor, _, _ = strings.Cut(cursor, ">")
	cursor, err = url.QueryUnescape(cursor)
	must(err == nil, err)
	page, _, err = tasks.ListTasks(background, user).Limit(1).After(cursor).Execute()
	must(err == nil && len(page) == 1 && page[0].Id == created[0].Id, err)

	change, id := client.NewTaskUpdate(), created[0].Id
	change.SetDescriptionNil()
	update := tasks.UpdateTask(background, user, id).TaskUpdate(*change).IfMatch(`"1"`)
	changed, _, err := update.Execute()
	must(err == nil && changed.Version == 2 && changed.Description.Get() == nil, err)
	_, answer, err = update.Execute()
	must(answer.StatusCode == 412 && body(err).Details.GetVersion() == 2, err)
	_, _, err = tasks.CreateTask(background, user).TaskCreate(*client.NewTaskCreate(" ")).Execute()
	must(body(err).Details.GetField() == "title", err)
	_, _, err = tasks.GetTask(background, user, 1).Execute()
	must(body(err).Code == "NOT_FOUND", err)
	if os.Args[2] != "none" {
		_, _, err = stranger.GetTask(background, user, id).Execute()
		must(body(err).Code == "UNAUTHENTICATED", err)
	}
	_, _, err = tasks.DeleteTask(background, user, id).Execute()
	must(err == nil, err)
}

func body(err error) client.ErrorDetail {
	found, ok := err.(*client.GenericOpenAPIError)
	must(ok, err)
	model, ok := found.Model().(client.ErrorBody)
	must(ok, err)
	return model.Error
}

func must(holds bool, err error) {
	if !holds {
		log.Panic(err)
	}
}
